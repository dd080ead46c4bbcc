import { describe, expect, test } from 'vitest';
import { createHub } from './internals.ts';
import { memoryLog } from '../src/logs/memory/index.ts';
import { createManualClock } from '../src/testing/manual-clock.ts';
import { Peer, settle } from './peer.ts';

function start() {
  const clock = createManualClock();
  const topics = [
    { match: 'state', state: true },
    { match: 'paced', state: true, interval: 100 },
  ];
  const log = memoryLog({ topics, now: clock.now });
  return { clock, log, hub: createHub({ clock, log }) };
}

describe('a key with a time to live', () => {
  test('is deleted on time, even if nobody is connected, and leaves no timer', async () => {
    const { clock, hub, log } = start();
    await hub.publish('state', 'here', { key: 'k', ttl: 5000 });
    clock.advance(4000);
    await settle();
    expect(log.tail.head).toBe(1);
    clock.advance(2000);
    await settle();
    expect(log.tail.head, 'the tombstone').toBe(2);
    clock.advance(2000);
    expect(clock.timers).toBe(0);
    await hub.close();
  });

  test('is no longer in a snapshot', async () => {
    const { clock, hub } = start();
    await hub.publish('state', 1, { key: 'short', ttl: 1000 });
    await hub.publish('state', 2, { key: 'long', ttl: 100_000 });
    clock.advance(3000);
    await settle();
    const peer = new Peer({ topics: ['state'] }).connect(hub);
    await settle();
    peer.receive();
    expect(peer.received.map(({ data }) => data)).toEqual(['2']);
    const closing = hub.close({ within: 1 });
    clock.advance(10);
    await closing;
    expect(clock.timers).toBe(0);
  });
});

describe('publishing under a condition', () => {
  test('counts one at a time: each publisher tries again with what it finds', async () => {
    const { hub } = start();
    const { seq } = await hub.publish('state', 0, { key: 'n', ifAbsent: true });
    const increment = async (known: number, value: number): Promise<number> => {
      try {
        return (await hub.publish('state', value, { key: 'n', ifSeq: known })).seq;
      } catch (error) {
        expect(error).toMatchObject({ code: 'event/conflict', status: 409 });
        return increment((error as { details: { seq: number } }).details.seq, value);
      }
    };
    const seqs = await Promise.all([1, 2, 3, 4, 5].map((value) => increment(seq, value)));
    expect(seqs.toSorted((a, b) => a - b)).toEqual([seq + 1, seq + 2, seq + 3, seq + 4, seq + 5]);
  });

  test.each([
    ['a topic without states', ['a', { key: 'k', ttl: 10 }], 'ttl'],
    ['a topic without states', ['a', { key: 'k', ifAbsent: true }], 'ifAbsent'],
    ['an event without a key', ['state', { ttl: 10 }], 'ttl'],
    ['an event without a key', ['state', { ifSeq: 1 }], 'ifSeq'],
    ['two conditions', ['state', { key: 'k', ifSeq: 1, ifAbsent: true }], 'ifAbsent'],
    ['an invalid seq', ['state', { key: 'k', ifSeq: 0 }], 'ifSeq'],
    ['an invalid time to live', ['state', { key: 'k', ttl: 0 }], 'ttl'],
    ['a condition that is not a flag', ['state', { key: 'k', ifAbsent: 1 }], 'ifAbsent'],
    ['a condition on a topic with an interval', ['paced', { key: 'k', ifAbsent: true }], 'ifAbsent'],
  ] as const)('refuses %s', async (_, [topic, options], option) => {
    const { hub } = start();
    await expect(hub.publish(topic, 1, options as never)).rejects.toMatchObject({
      code: 'event/invalid-option',
      details: { option },
    });
  });

  test('has the seq of an event in what a loop reads', async () => {
    const hub = createHub({ log: memoryLog() });
    const loop = hub.subscribe('a', { cursor: 'earliest' });
    const { seq } = await hub.publish('a', 1);
    await loop.next();
    expect((await loop.next()).value).toMatchObject({ kind: 'event', seq });
    await loop.return?.();
    await hub.close();
  });
});
