import { describe, expect, test } from 'vitest';
import { DEADLINE } from '../../../scripts/deadline.ts';
import { memoryLog } from '../src/logs/memory/index.ts';
import { toNewEvent } from '../src/protocol/event.ts';
import { startHub } from './fixture.ts';
import type { Gap } from './internals.ts';
import { checkReplay } from './model/replay.ts';
import { type Peer, settle } from './peer.ts';

const runs = Number(process.env['TIDINGS_MODEL_RUNS'] ?? 300);

interface Welcome {
  readonly resumed: boolean;
  readonly gaps: readonly Gap[];
}

function welcomeOf(peer: Peer): Welcome {
  const { resumed, gaps } = JSON.parse(peer.events[0]?.data ?? '') as Welcome;
  return { resumed, gaps };
}

const dataOf = (peer: Peer): readonly string[] => peer.received.map(({ data }) => data);

describe('what a connection gets of the events it missed', () => {
  test(
    'is the newest within the bounds, and its welcome names exactly the topics that have older ones',
    { timeout: 5 * DEADLINE + runs * 100 },
    () =>
      checkReplay(runs, (clock) => memoryLog({ retention: { events: Infinity }, now: clock.now }), settle),
  );

  test('is complete if it is within the bounds, however many events of other topics there are', async () => {
    const { publish, follow } = startHub({ replay: { events: 3 } });
    const cursor = await publish('a', 0);
    for (let i = 1; i <= 3; i += 1) {
      await publish('noise', ...Array.from({ length: 50 }, (_, j) => j));
      await publish('a', i);
    }
    const peer = await follow({}, cursor);
    expect(welcomeOf(peer)).toEqual({ resumed: true, gaps: [] });
    expect(dataOf(peer)).toEqual(['1', '2', '3']);
  });

  test('begins with a cursor that is good without a gap, should the connection break right after the welcome', async () => {
    const { publish, follow } = startHub({ replay: { events: 2 } });
    const cursor = await publish('a', 0);
    await publish('a', 1, 2, 3);
    const peer = await follow({}, cursor);
    expect(welcomeOf(peer)).toEqual({ resumed: false, gaps: [{ topics: ['a'], reason: 'trimmed' }] });
    expect(peer.events[0]?.id).toBe('e.2');
    peer.drop();
    const second = await follow({}, 'e.2');
    expect(welcomeOf(second)).toEqual({ resumed: true, gaps: [] });
    expect(dataOf(second)).toEqual(['2', '3']);
  });

  test('ends a gap of retention and one of the bounds in one notice', async () => {
    const { publish, follow } = startHub({ retention: { events: 5 }, replay: { events: 2 } });
    const cursor = await publish('old', 0);
    await publish('old', 1);
    await publish('b', 2, 3);
    await publish('a', 4, 5, 6);
    const peer = await follow({ topics: ['a', 'b', 'old', 'c'] }, cursor);
    expect(welcomeOf(peer)).toEqual({
      resumed: false,
      gaps: [{ topics: ['a', 'b', 'old'], reason: 'trimmed' }],
    });
    expect(dataOf(peer)).toEqual(['5', '6']);
  });

  test('is made up for by a snapshot on a state topic, which no bound of events cuts', async () => {
    const { hub, log, publish, follow } = startHub({
      topics: [{ match: 'state', state: true }],
      replay: { events: 2 },
    });
    for (const key of ['a', 'b', 'c', 'd', 'e']) await hub.publish('state', key, { key, raw: true });
    await publish('state', 1, 2, 3);
    expect(log.tail.head).toBe(8);
    for (const cursor of ['earliest', 'e.1']) {
      const peer = await follow({ topics: ['state'] }, cursor);
      expect(welcomeOf(peer).gaps).toEqual([{ topics: ['state'], reason: 'trimmed' }]);
      expect(dataOf(peer)).toEqual(['a', 'b', 'c', 'd', 'e', '2', '3']);
    }
  });

  test('reveals nothing of private events that the connection may not read', async () => {
    const { hub, publish, follow } = startHub({ replay: { events: 1 } });
    const cursor = await publish('a', 0);
    await hub.publish(['a', 'b'], 'secret', { private: true, raw: true });
    await publish('a', 1);
    const peer = await follow({ topics: ['a', 'b'] }, cursor);
    expect(welcomeOf(peer)).toEqual({ resumed: true, gaps: [] });
    const reader = await follow({ topics: ['a', 'b'], granted: ['b'] }, cursor);
    expect(welcomeOf(reader).gaps).toEqual([{ topics: ['a', 'b'], reason: 'trimmed' }]);
  });

  test('does not depend on the bounds for a loop in this process', async () => {
    const { hub, publish } = startHub({ replay: { events: 1 } });
    const cursor = await publish('a', 0);
    await publish('a', 1, 2, 3);
    const found: string[] = [];
    for await (const item of hub.subscribe('a', { cursor })) {
      if (item.kind === 'gap') throw new Error('a gap');
      if (item.kind === 'event') found.push(item.data);
      if (found.length === 3) break;
    }
    expect(found).toEqual(['1', '2', '3']);
  });

  test(
    'is searched for among so many events; what lies beyond counts as skipped, for each topic',
    { timeout: 5 * DEADLINE },
    async () => {
      const { log, publish, follow } = startHub({
        retention: { events: Infinity, bytes: Infinity },
        replay: { events: 5 },
      });
      const cursor = await publish('a', 0);
      const secret = toNewEvent({ topics: 'a', data: 0, private: true });
      for (let i = 0; i < 120; i += 1) await log.append(Array.from({ length: 1000 }, () => secret));
      await publish('a', 1);
      const peer = await follow({ topics: ['a', 'b'] }, cursor);
      expect(welcomeOf(peer)).toEqual({ resumed: false, gaps: [{ topics: ['a', 'b'], reason: 'trimmed' }] });
      expect(dataOf(peer)).toEqual(['1']);
    },
  );

  test('is searched for once for all connections that come with the same cursor', async () => {
    let reads = 0;
    const { log, publish, follow } = startHub({
      replay: { events: 2 },
      wrapLog: (inner) => {
        const { tail } = inner;
        const readBack = tail.readBack.bind(tail);
        tail.readBack = (...query) => {
          reads += 1;
          return readBack(...query);
        };
        return inner;
      },
    });
    const cursor = await publish('a', 0);
    await publish('a', 1, 2, 3, 4);
    expect(log.tail.head).toBe(5);
    const peers = await Promise.all(Array.from({ length: 50 }, () => follow({}, cursor)));
    for (const peer of peers) expect(dataOf(peer)).toEqual(['3', '4']);
    expect(reads).toBeLessThan(5);
  });
});
