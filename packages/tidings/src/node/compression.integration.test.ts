import { describe, expect, test, vi } from 'vitest';
import { until } from '../../test/http/deadline.ts';
import { startHub, startNode } from '../../test/http/hub.ts';
import { stacks } from '../../test/http/stacks.ts';
import { observe } from '../../test/client/observed.ts';
import type { HubOptions } from '../index.ts';
import { gzip } from './gzip.ts';
import { remembering } from './once-for-all.ts';

const accepting = (encodings: string) => ({ headers: { 'accept-encoding': encodings } });

describe.each(stacks)('On $name, a hub that compresses', ({ ask, start }) => {
  test('sends to each peer what it accepts, event by event, up to a well-formed end', async () => {
    const hub = startHub({ compression: gzip() });
    const { url: origin } = await start(hub, { topics: ['a'], greeting: () => ({ data: 'hello' }) });
    const url = `${origin}/events`;
    const peers = [
      await ask(url, accepting('br, gzip')),
      await ask(url, accepting('*')),
      await ask(url, accepting('gzip')),
    ];
    const plain = [await ask(url, accepting('identity')), await ask(url, accepting('gzip;q=0, br'))];
    expect(peers.map(({ headers }) => headers['content-encoding'])).toEqual(['gzip', 'gzip', 'gzip']);
    expect(plain.map(({ headers }) => headers['content-encoding'])).toEqual([undefined, undefined]);
    for (const { headers } of [...peers, ...plain]) expect(headers.vary).toMatch(/accept-encoding/i);
    const all = [...peers, ...plain];
    for (const { frames } of all) expect((await frames.nextEvent()).type).toBe('tidings:welcome');
    for (const { frames } of all) expect(await frames.nextEvent()).toMatchObject({ data: '"hello"' });
    for (const data of ['short', 'x'.repeat(5000), 'ä€🌊'.repeat(100)]) {
      await hub.publish('a', data);
      for (const { frames } of all)
        expect(await frames.nextEvent()).toMatchObject({ data: JSON.stringify(data) });
    }
    hub.disconnect(() => true);
    for (const { frames } of all) {
      expect((await frames.nextEvent()).type).toBe('tidings:goodbye');
      await frames.end();
      expect(frames.error).toBeUndefined();
    }
  });

  test('sends a peer that was behind everything it missed, in order', async () => {
    const hub = startHub({ compression: gzip({ level: 1 }) });
    const { url: origin } = await start(hub, { topics: ['a'] });
    const url = `${origin}/events`;
    const { frames } = await ask(url, accepting('gzip'));
    const slow = await ask(url, { ...accepting('gzip'), idle: true });
    await until('both live', () => hub.stats().live === 2);
    // Incompressible, or it would fit anywhere.
    const noise = () => Buffer.from(crypto.getRandomValues(new Uint8Array(40_000))).toString('base64');
    for (let n = 0; n < 300; n += 1) {
      await hub.publish('a', `${n} ${noise()}`, { raw: true });
      if (n % 10 === 0) await frames.until('event', () => frames.events.length > n);
    }
    await until('one behind', () => hub.stats().behind === 1);
    slow.read();
    await slow.frames.until('all', () => slow.frames.events.length === 300);
    expect(slow.frames.events.map(({ data }) => Number.parseInt(data ?? '', 10))).toEqual(
      Array.from({ length: 300 }, (_, n) => n),
    );
  });
});

test("The library's client reads a compressed stream event by event", async () => {
  const { hub, url } = await startNode({ topics: ['a'] }, { compression: gzip() });
  const { hasMessages, messages } = observe(url);
  await until('live', () => hub.stats().live === 1);
  for (let n = 1; n <= 5; n += 1) {
    await hub.publish('a', n);
    await hasMessages(n);
  }
  expect(messages).toEqual(['1', '2', '3', '4', '5']);
});

test('A flush is framed once for all compressed connections, and once for all plain ones', () => {
  const made = vi.fn((bytes: Uint8Array) => ({ bytes }));
  const frame = remembering(made);
  const [plain, compressed, other] = [Uint8Array.of(1), Uint8Array.of(2), Uint8Array.of(3)];
  for (let i = 0; i < 10; i += 1) {
    expect(frame(plain).bytes).toBe(plain);
    expect(frame(compressed).bytes).toBe(compressed);
  }
  expect(made).toHaveBeenCalledTimes(2);
  expect(frame(other).bytes).toBe(other);
  expect(frame(compressed).bytes).toBe(compressed);
  expect(made).toHaveBeenCalledTimes(3);
});

test('A value that is not a compression is refused by name', () => {
  const compression = 'gzip' as unknown as HubOptions['compression'];
  expect(() => startHub({ compression })).toThrow(expect.objectContaining({ code: 'hub/invalid-option' }));
});
