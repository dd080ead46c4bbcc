import { describe, expect, test } from 'vitest';
import type { Lineage } from '../src/log/lineage.ts';
import { type FixtureOptions, dataOf, startHub, told } from './fixture.ts';
import { HUB_TOPICS, hubEvent } from '../src/hub/cluster/hub-topics.ts';
import type { EventLog } from './internals.ts';
import { type Peer, settle } from './peer.ts';

/** A hub on a log that can lose its end, as one that fails over to a copy which was behind. */
function startLosing(
  options: FixtureOptions = {},
  more: PropertyDescriptorMap = {},
): ReturnType<typeof startHub> & {
  lose: (end: number) => Promise<void>;
  /** The log is another one now, of which nothing is known. */
  replace: () => Promise<void>;
} {
  let lineage: Lineage = [];
  let log: EventLog | undefined;
  const hub = startHub({
    ...options,
    wrapLog: (memory) => {
      log = Object.create(memory, { lineage: { get: () => lineage }, ...more }) as EventLog;
      return log;
    },
  });
  return {
    ...hub,
    async lose(end) {
      const { tail } = log as EventLog;
      lineage = [...lineage, { epoch: tail.epoch, end }];
      tail.rewind(`after-${tail.epoch}`, end);
      hub.clock.tick();
      await settle();
    },
    async replace() {
      lineage = [];
      (log as EventLog).tail.rewind('other', 0);
      hub.clock.tick();
      await settle();
    },
  };
}

async function receive(...peers: readonly Peer[]): Promise<void> {
  await settle();
  for (const peer of peers) peer.receive();
  await settle();
}

const gap = { gaps: [{ topics: ['a'], reason: 'epoch' }] };

describe('a log that lost its end', () => {
  test('tells a loop in this process what is lost, too', async () => {
    const { clock, hub, publish, lose } = startLosing();
    const found: string[] = [];
    const reading = (async (): Promise<void> => {
      for await (const item of hub.subscribe('a')) {
        found.push(item.kind === 'event' ? item.data : item.kind);
        if (found.includes('5')) break;
      }
    })();
    await settle();
    await publish('a', 1, 2, 3);
    clock.tick();
    await settle();
    await lose(2);
    await settle();
    await publish('a', 5);
    for (let i = 0; i < 5; i += 1) {
      clock.tick();
      await settle();
    }
    expect(found).toEqual(['start', '1', '2', '3', 'gap', '5']);
    await reading;
  });

  test('sends a gap only to connections that received lost events', async () => {
    const { clock, hub, publish, follow, lose } = startLosing();
    const [behind, live] = [await follow(), await follow()];
    await publish('a', 1, 2);
    clock.tick();
    await receive(behind, live);
    const early = behind.lastEventId;
    behind.drop();
    await publish('a', 3, 4);
    clock.tick();
    await receive(live);
    await lose(2);
    await receive(live);
    expect(told(live, 'gap')).toEqual([gap]);
    expect(live.lastEventId).toBe('after-e.2');

    behind.connect(hub, early);
    await receive(behind);
    expect(told(behind, 'welcome').at(-1)).toMatchObject({ resumed: true, gaps: [] });

    await publish('a', 5);
    clock.tick();
    await receive(behind, live);
    expect(dataOf(behind)).toEqual(['1', '2', '5']);
    expect(dataOf(live)).toEqual(['1', '2', '3', '4', '5']);
    expect(live.lastEventId).toBe('after-e.3');
  });

  test('sends no gap to connections whose cursor only moved past lost events of other topics', async () => {
    const { clock, publish, follow, lose } = startLosing();
    const quiet = await follow({ topics: ['b'] });
    await publish('a', 1, 2, 3);
    clock.advance(20_000);
    await receive(quiet);
    const beyond = quiet.lastEventId;
    expect(beyond).toBe('e.3');
    await lose(1);
    await receive(quiet);
    await publish('b', 4);
    clock.tick();
    await receive(quiet);
    expect(told(quiet, 'gap')).toEqual([]);
    expect(dataOf(quiet)).toEqual(['4']);
    expect(quiet.lastEventId).toBe('after-e.2');

    // As one that was away meanwhile, and one that asks for the other topic, too.
    quiet.drop();
    const late = await follow({ topics: ['b'] }, beyond);
    expect(told(late, 'welcome').at(-1)).toMatchObject({ resumed: true, gaps: [] });
    expect(dataOf(late)).toEqual(['4']);
    const both = await follow({ topics: ['b', 'a'] }, beyond);
    expect(told(both, 'welcome').at(-1)).toMatchObject({ resumed: false });
  });

  test('counts a value as received by whoever may have had an older one of its key', async () => {
    const { clock, publish, hub, follow, lose } = startLosing({ topics: [{ match: 's', state: true }] });
    await publish('a', 1);
    const peer = await follow({ topics: ['s'] });
    await hub.publish('s', 'old', { key: 'k' });
    clock.tick();
    await receive(peer);
    const cursor = peer.lastEventId;
    peer.drop();
    await hub.publish('s', 'new', { key: 'k' });
    await lose(1);
    const back = await follow({ topics: ['s'] }, cursor);
    expect(told(back, 'welcome').at(-1)).toMatchObject({ resumed: false, gaps: [{ reason: 'epoch' }] });
  });

  test('is a gap to all beyond its end where the hub did not get all that is lost', async () => {
    const { clock, publish, follow, lose, log } = startLosing();
    const quiet = await follow({ topics: ['b'] });
    log.tail.miss(['c']);
    await publish('a', 1, 2);
    clock.tick();
    await receive(quiet);
    await lose(0);
    await receive(quiet);
    expect(told(quiet, 'gap')).toEqual([{ gaps: [{ topics: ['b'], reason: 'epoch' }] }]);
  });

  test('is a gap to all beyond its end where retention had taken some of what is lost', async () => {
    const { clock, hub, publish, follow, lose } = startLosing({
      topics: [{ match: 'a', retention: { events: 1 } }],
    });
    const peer = await follow({ topics: ['b'] });
    await hub.publish(['a', 'b'], 1);
    await publish('a', 2);
    clock.tick();
    await receive(peer);
    expect(dataOf(peer)).toEqual(['1']);
    await lose(0);
    await receive(peer);
    expect(told(peer, 'gap')).toEqual([{ gaps: [{ topics: ['b'], reason: 'epoch' }] }]);
  });

  test('keeps an event for one connection that was sent while its beginning was decided', async () => {
    const { clock, hub, publish, follow, lose } = startLosing();
    await publish('a', 1, 2);
    clock.tick();
    const opening = follow({}, 'e.2');
    const id = hub.connections()[0]?.id ?? '';
    expect(hub.send(id, { data: 'direct', raw: true })).toBe(true);
    await lose(1);
    const peer = await opening;
    await receive(peer);
    expect(dataOf(peer)).toEqual(['direct']);
  });

  /** A hub that missed what is lost, between two others. */
  async function startUnknowing(): Promise<
    ReturnType<typeof startLosing> & { quiet: Peer; tell: () => Promise<void> }
  > {
    const hub = startLosing({}, { shared: { value: true } });
    const { clock, publish, follow, log, lose } = hub;
    await settle();
    const { head } = log.tail;
    const quiet = await follow({ topics: ['b'] });
    log.tail.miss(['c']);
    await publish('a', 1, 2);
    clock.tick();
    await receive(quiet);
    await lose(head);
    await receive(quiet);
    const event = (topic: string): unknown => ({ topics: [topic], private: false, after: head });
    const record = { end: head, until: head + 9, events: [event('a'), event('c')] };
    return {
      ...hub,
      quiet,
      async tell() {
        await log.append([hubEvent(HUB_TOPICS.lost, 'e', record)]);
        for (let i = 0; i < 3; i += 1) {
          clock.tick();
          await settle();
        }
      },
    };
  }

  test('waits for what other hubs know of it', async () => {
    const { clock, quiet, follow, tell, publish } = await startUnknowing();
    const cursor = `e.${Number((quiet.lastEventId ?? '').split('.')[1]) + 2}`;
    const [same, other] = [
      await follow({ topics: ['b'] }, cursor),
      await follow({ topics: ['a', 'b'] }, cursor),
    ];
    expect(told(same, 'welcome')).toEqual([]);
    await tell();
    await publish('b', 3);
    clock.tick();
    await receive(quiet, same, other);
    expect(told(quiet, 'gap')).toEqual([]);
    expect(dataOf(quiet)).toEqual(['3']);
    expect(told(same, 'welcome')).toMatchObject([{ resumed: true, gaps: [] }]);
    expect(dataOf(same)).toEqual(['3']);
    expect(told(other, 'welcome')).toMatchObject([{ resumed: false, gaps: [{ reason: 'epoch' }] }]);
  });

  test('is a gap to all beyond its end if no hub tells within seconds', async () => {
    const { clock, quiet, follow } = await startUnknowing();
    const late = await follow({ topics: ['b'] }, 'e.1000');
    expect([told(quiet, 'gap'), told(late, 'welcome')]).toEqual([[], []]);
    clock.advance(5000);
    await receive(quiet, late);
    expect(told(quiet, 'gap')).toMatchObject([{ gaps: [{ topics: ['b'], reason: 'epoch' }] }]);
    expect(told(late, 'welcome')).toMatchObject([{ resumed: false, gaps: [{ reason: 'epoch' }] }]);
  });

  test('is a gap at once if the log that is there now does not descend from it', async () => {
    const { clock, publish, follow, log, replace } = startLosing({}, { shared: { value: true } });
    await settle();
    const quiet = await follow({ topics: ['b'] });
    log.tail.miss(['c']);
    await publish('a', 1);
    clock.tick();
    await receive(quiet);
    await replace();
    await receive(quiet);
    expect(told(quiet, 'gap')).toMatchObject([{ gaps: [{ topics: ['b'], reason: 'epoch' }] }]);
  });

  test('is a gap in the welcome of clients that come back later, which then miss nothing of the new epoch', async () => {
    const { clock, hub, publish, follow, lose } = startLosing();
    const peer = await follow();
    await publish('a', 1, 2, 3);
    clock.tick();
    await receive(peer);
    peer.drop();
    await lose(1);
    await publish('a', 4);
    peer.connect(hub);
    await receive(peer);
    expect(told(peer, 'welcome').at(-1)).toMatchObject({ resumed: false, ...gap });
    expect(dataOf(peer)).toEqual(['1', '2', '3', '4']);
  });

  test('sends the gap to a stalled peer once that can take it', async () => {
    const { clock, publish, follow, lose } = startLosing();
    const slow = await follow({ capacity: 30 });
    await publish('a', 1, 2, 3);
    clock.tick();
    await settle();
    await lose(0);
    await publish('a', 4);
    clock.tick();
    for (let i = 0; i < 10; i += 1) await receive(slow);
    expect(told(slow, 'gap')).toEqual([gap]);
    expect(dataOf(slow).at(-1)).toBe('4');
    expect(slow.lastEventId).toBe('after-e.1');
  });

  test('may lose its end twice before a peer gets the gap', async () => {
    const { clock, publish, follow, lose } = startLosing();
    const peer = await follow();
    await publish('a', 1, 2, 3);
    clock.tick();
    await receive(peer);
    const losing = [lose(2), lose(1)];
    await Promise.all(losing);
    await receive(peer);
    expect(told(peer, 'gap').at(-1)).toEqual(gap);
    expect(peer.lastEventId).toBe('after-after-e.1');
  });
});
