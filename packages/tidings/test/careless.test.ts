import { describe, expect, test } from 'vitest';
import { createHub, memoryLog } from '../src/index.ts';
import { sse } from '../src/fetch/index.ts';

/** Values that a caller without types, or in a hurry, might pass. */
const anything = (value: unknown): never => value as never;
const invalid = expect.objectContaining({ code: 'hub/invalid-option' }) as Error;

describe('an `authorize` that forgets to return', () => {
  test.each([undefined, null, false, true, 'ann', 5])('%o lets nobody in', async (answer) => {
    const handle = sse(createHub(), { authorize: () => anything(answer) });
    await expect(handle(new Request('http://hub.test/?topic=a'))).rejects.toThrow(invalid);
  });

  test.each([
    { topics: undefined },
    { topics: 'a' },
    { topics: null },
    { topics: ['a\nb'] },
    { expiresAt: new Date() },
    { expiresAt: null },
    { expiresAt: NaN },
    { expireAt: 5 },
    { subject: 7 },
    { subject: '' },
    { member: 'ann' },
    { member: {} },
    { member: { id: 7 } },
    { member: { id: 'ann', date: 1 } },
  ])('%o is refused as the app’s fault', async (answer) => {
    const handle = sse(createHub(), { authorize: () => anything(answer) });
    await expect(handle(new Request('http://hub.test/?topic=a'))).rejects.toThrow(invalid);
  });
});

describe('options that do not mean what they seem to', () => {
  test.each([
    { heartBeat: 10 },
    { limits: { connection: 5 } },
    { log: {} },
    { presence: 'room' },
    { presence: [{ match: 'a', members: 'x' }] },
    { presence: [{ match: 'a', grace: NaN }] },
  ])('createHub(%o) is refused', (options) => {
    expect(() => createHub(anything(options))).toThrow(invalid);
  });

  test.each([
    { topics: 'news' },
    { authorize: 5 },
    { cors: true },
    { cors: { origin: 'a.example' } },
    { cors: { origin: 'https://a.example/' } },
    { cors: { origin: '*', credentials: true } },
  ])('sse(hub, %o) is refused before any request', (options) => {
    expect(() => sse(createHub(), anything(options))).toThrow(invalid);
    expect(() => sse(anything(undefined))).toThrow(invalid);
  });

  test.each([{ privat: true }, { event: 'x' }, 'type'])('an event with %o is refused', async (options) => {
    const hub = createHub({ log: memoryLog({ epoch: 'e' }) });
    await expect(hub.publish('a', 1, anything(options))).rejects.toMatchObject({
      code: 'event/invalid-option',
    });
    expect(hub.cursor()).toBe('e.0');
  });

  test('data that is a promise is refused, and data that JSON can’t represent is refused with the reason', async () => {
    const hub = createHub();
    await expect(hub.publish('a', Promise.resolve(1))).rejects.toMatchObject({ code: 'event/invalid-data' });
    await expect(hub.publish('a', 1n)).rejects.toThrow(/BigInt/);
  });
});
