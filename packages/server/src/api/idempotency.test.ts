import { describe, expect, it } from 'vitest';
import { Idempotency } from './idempotency.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const EVENTS = [
  { topics: 'a', data: 1 },
  { topics: 'a', data: 2, id: 'mine' },
];

describe('an Idempotency-Key', () => {
  it('names the events of a request, the same each time, and leaves ids of the publisher alone', () => {
    const idempotency = new Idempotency();
    const ids = (key: string, credential: string) =>
      idempotency.identify(key, credential, bytes('x'), EVENTS).events.map(({ id }) => id);
    const [first, own] = ids('k', 'ann');
    expect(own).toBe('mine');
    expect(ids('"k"', 'ann')).toEqual([first, 'mine']);
    expect(ids('k', 'bob')[0]).not.toBe(first);
    expect(ids('l', 'ann')[0]).not.toBe(first);
    expect(first?.length).toBeLessThan(30);
  });

  it('is refused for another body, also while the first is being published', () => {
    const idempotency = new Idempotency();
    idempotency.identify('k', 'ann', bytes('one'), EVENTS);
    expect(() => idempotency.identify('k', 'ann', bytes('two'), EVENTS)).toThrow(
      expect.objectContaining({ code: 'request/idempotency-key-reused', status: 422 }),
    );
  });

  it('is free again if its request failed, unless that was a retry', () => {
    const idempotency = new Idempotency();
    idempotency.identify('k', 'ann', bytes('one'), EVENTS).failed();
    idempotency.identify('k', 'ann', bytes('two'), EVENTS);
    idempotency.identify('k', 'ann', bytes('two'), EVENTS).failed();
    expect(() => idempotency.identify('k', 'ann', bytes('three'), EVENTS)).toThrow(
      expect.objectContaining({ code: 'request/idempotency-key-reused' }),
    );
  });

  it('stays taken if a request failed while another with the same body was on its way', () => {
    const idempotency = new Idempotency();
    const first = idempotency.identify('k', 'ann', bytes('one'), EVENTS);
    idempotency.identify('k', 'ann', bytes('one'), EVENTS);
    first.failed();
    expect(() => idempotency.identify('k', 'ann', bytes('two'), EVENTS)).toThrow(
      expect.objectContaining({ code: 'request/idempotency-key-reused' }),
    );
  });

  it.each(['', '"', '""', 'a b', 'ä', '"a', 'a"b', 'a\\b', 'x'.repeat(256)])('is not %j', (key) => {
    expect(() => new Idempotency().identify(key, 'ann', bytes('x'), EVENTS)).toThrow(
      expect.objectContaining({ code: 'request/invalid-idempotency-key', status: 400 }),
    );
  });
});
