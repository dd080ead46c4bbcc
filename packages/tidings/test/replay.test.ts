import { describe, expect, test } from 'vitest';
import { DEADLINE } from '../../../scripts/deadline.ts';
import { memoryLog } from '../src/logs/memory/index.ts';
import type { Connection } from '../src/hub/delivery/connection.ts';
import type { PageLimit } from '../src/log/page.ts';
import { toNewEvent } from '../src/protocol/event.ts';
import { startHub } from './fixture.ts';
import { type Gap, createMatcherSet } from './internals.ts';
import { checkReplay } from './model/replay.ts';
import { Peer, settle } from './peer.ts';

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

  describe('while it is searched for', () => {
    /** A log of several pages, which does something at each page. */
    const searched = async (): Promise<
      ReturnType<typeof startHub> & { cursor: string; limits: PageLimit[]; onRead: () => void }
    > => {
      const limits: PageLimit[] = [];
      const fixture = startHub({
        retention: { events: Infinity },
        replay: { events: 4500 },
        wrapLog: (inner) => {
          const { tail } = inner;
          const readBack = tail.readBack.bind(tail);
          tail.readBack = (...query) => {
            limits.push(query[3]);
            all.onRead();
            return readBack(...query);
          };
          return inner;
        },
      });
      const cursor = await fixture.publish('a', 0);
      const event = toNewEvent({ topics: 'a', data: 1 });
      for (let i = 0; i < 5; i += 1) await fixture.log.append(Array.from({ length: 1000 }, () => event));
      const all = { ...fixture, cursor, limits, onRead: (): void => {} };
      return all;
    };

    test('reads pages of a bounded length, and no further once the connection is gone', async () => {
      const all = await searched();
      const peer = new Peer({ topics: ['a'] });
      all.onRead = () => peer.drop();
      peer.connect(all.hub, all.cursor);
      await settle();
      expect(all.limits).toHaveLength(1);
      expect(all.limits[0]?.length).toBeLessThanOrEqual(65_536);
      expect(all.failures).toEqual([]);
      // The search that was given up answers nobody else.
      all.onRead = () => {};
      expect(dataOf(await all.follow({}, all.cursor))).toHaveLength(4500);
    });

    test('others with the same cursor get their answer if the first one leaves', async () => {
      const all = await searched();
      await all.follow();
      const [first, second] = [new Peer({ topics: ['a'] }), new Peer({ topics: ['a'] })];
      all.onRead = () => {
        all.onRead = () => first.drop();
        second.connect(all.hub, all.cursor);
      };
      first.connect(all.hub, all.cursor);
      await settle();
      second.receive();
      await settle();
      second.receive();
      expect(welcomeOf(second)).toEqual({ resumed: false, gaps: [{ topics: ['a'], reason: 'trimmed' }] });
      expect(dataOf(second)).toHaveLength(4500);
      expect(all.limits.length).toBeLessThan(8);
    });

    test('a connection may change its topics', async () => {
      const all = await searched();
      const peer = new Peer({ topics: ['a'] });
      all.onRead = () => {
        all.onRead = () => {};
        const granted = createMatcherSet([]);
        const terms = { wanted: createMatcherSet(['a', 'b']), granted, expiresAt: undefined };
        (peer.connection as Connection).change(terms);
      };
      peer.connect(all.hub, all.cursor);
      await settle();
      peer.receive();
      expect(welcomeOf(peer).resumed).toBe(false);
    });
  });
});
