import { describe, expect, test } from 'vitest';
import { memoryLog } from '../src/logs/memory/index.ts';
import { createManualClock } from '../src/testing/manual-clock.ts';
import { record, startHub, withMethods } from './fixture.ts';
import {
  type EventLog,
  type Matcher,
  createHub,
  createMatcherSet,
  gatewayOf,
  secretOf,
} from './internals.ts';
import { Peer, changeTerms, settle } from './peer.ts';

function setUp() {
  const clock = createManualClock();
  const log = memoryLog({ topics: ['state', 'tidings/box'].map((match) => ({ match, state: true })) });
  const hub = createHub({ log, clock, presence: [{ match: { pattern: 'room/*' }, grace: 0, interval: 10 }] });
  async function change(peer: Peer, wanted: readonly Matcher[], expiresAt?: number): Promise<string> {
    const terms = { wanted: createMatcherSet(wanted), granted: createMatcherSet([]), expiresAt };
    const cursor = await changeTerms(hub, peer, terms);
    await pass(peer);
    return cursor;
  }
  async function pass(...peers: Peer[]): Promise<void> {
    for (let i = 0; i < 5; i += 1) {
      await settle();
      clock.tick();
      for (const peer of peers) peer.receive();
    }
  }
  return { hub, clock, change, pass };
}

const dataOf = (peer: Peer): unknown[] => peer.received.map(({ data }) => JSON.parse(data) as unknown);

describe('a connection whose topics are changed', () => {
  test('gets events of an added topic from the stated cursor on, and none of a dropped one', async () => {
    const { hub, change, pass } = setUp();
    const peer = new Peer({ topics: ['a'] }).connect(hub);
    await pass(peer);
    await hub.publish('b', 'b before');
    // Not flushed yet: it belongs to the topics of before the change.
    await hub.publish('a', 'a before');
    const cursor = await change(peer, ['b']);
    expect(cursor).toBe(hub.cursor());
    await hub.publish('a', 'a after');
    await hub.publish('b', 'b after');
    await pass(peer);
    expect(dataOf(peer)).toEqual(['a before', 'b after']);
    const told = peer.events.find(({ type }) => type === 'tidings:subscribed');
    expect(told).toEqual({ type: 'tidings:subscribed', id: cursor, data: '{"topics":["b"]}' });
  });

  test('that is behind gets an added topic’s events from its own cursor on, none twice', async () => {
    const { hub, change, pass } = setUp();
    const peer = new Peer({ topics: ['a'], capacity: 1 }).connect(hub);
    await settle();
    await hub.publish('b', 1);
    await hub.publish('a', 2);
    const cursor = await change(peer, ['a', 'b']);
    await hub.publish('b', 3);
    await pass(peer);
    expect(dataOf(peer)).toEqual([1, 2, 3]);
    expect(cursor).toMatch(/\.0$/);
  });

  test('gets the state of an added topic, and not again that of one it had', async () => {
    const { hub, change, pass } = setUp();
    await hub.publish('state', 'on', { key: 'lamp' });
    const peer = new Peer({ topics: ['a'] }).connect(hub);
    await pass(peer);
    await change(peer, ['a', 'state']);
    expect(dataOf(peer)).toEqual(['on']);
    await change(peer, ['a', 'state', 'b']);
    expect(dataOf(peer)).toEqual(['on']);
  });

  test('gets the state of topics of Tidings’ own that it adds to `*`, which doesn’t match them', async () => {
    const { hub, change, pass } = setUp();
    await hub.publish('tidings/box', 'full', { key: 'k' });
    const peer = new Peer({ topics: [{ pattern: '*' }] }).connect(hub);
    await pass(peer);
    expect(dataOf(peer)).toEqual([]);
    await change(peer, [{ pattern: '*' }, { pattern: 'tidings/*' }]);
    expect(dataOf(peer)).toEqual(['full']);
  });

  test('holds no more bytes after many unread changes than after one', async () => {
    const asked: number[] = [];
    const { hub, follow } = startHub({
      wrapLog: () => {
        const log = memoryLog({ topics: [{ match: { pattern: 'state/*' }, state: true }] });
        const read: EventLog['read'] = (query) => {
          asked.push(query.matchers.matchers.length);
          return log.read(query);
        };
        return withMethods(log, { read });
      },
    });
    const peer = new Peer({ topics: ['a'], capacity: 1 }).connect(hub);
    await settle();
    for (let i = 0; i < 50; i += 1) {
      const topics = ['a', ...Array.from({ length: 9 }, (_, j) => `state/${i}/${j}`)];
      const [wanted, granted] = [createMatcherSet(topics), createMatcherSet([])];
      await changeTerms(hub, peer, { wanted, granted, expiresAt: undefined });
    }
    await follow();
    for (let i = 0; i < 5; i += 1) {
      peer.receive();
      await settle();
    }
    expect(asked).toEqual([9]);
    expect(peer.events.filter(({ type }) => type === 'tidings:subscribed')).toHaveLength(1);
  });

  test('resumes with its cursor, on the topics it then asks for', async () => {
    const { hub, change, pass } = setUp();
    const peer = new Peer({ topics: ['a'] }).connect(hub);
    await pass(peer);
    await change(peer, ['a', 'b']);
    peer.drop();
    await hub.publish('b', 'missed');
    const again = new Peer({ topics: ['a', 'b'] }).connect(hub, peer.lastEventId);
    await pass(again);
    expect(dataOf(again)).toEqual(['missed']);
  });

  test('is present on its new topics', async () => {
    const { hub, change, clock, pass } = setUp();
    const peer = new Peer({ topics: ['room/a'], subject: 'ann' }).connect(hub);
    await pass(peer);
    await change(peer, ['room/b']);
    clock.advance(100);
    expect([hub.presence('room/a').count, hub.presence('room/b').count]).toEqual([0, 1]);
    peer.drop();
    clock.advance(100);
    expect(hub.presence('room/b').count).toBe(0);
  });
});

describe('an authorization that ends', () => {
  test('is announced beforehand, and ends the stream unless it is renewed', async () => {
    const { hub, change, clock, pass } = setUp();
    const expiresAt = clock.now() + 60_000;
    const peers = ['ann', 'bob'].map((subject) =>
      new Peer({ topics: ['a'], subject, expiresAt }).connect(hub),
    );
    const [ann, bob] = peers as [Peer, Peer];
    await pass(ann, bob);
    const types = (peer: Peer): string[] =>
      peer.events.map(({ type }) => type).filter((type) => type !== 'tidings:welcome');
    clock.advance(29_000);
    await pass(ann, bob);
    expect(types(ann)).toEqual([]);
    clock.advance(2000);
    await pass(ann, bob);
    expect(types(ann)).toEqual(['tidings:expiring']);
    expect(JSON.parse(ann.events.at(-1)?.data ?? '')).toEqual({ within: 30_000 });
    await change(ann, ['a'], clock.now() + 3_600_000);
    clock.advance(31_000);
    await pass(ann, bob);
    expect(types(ann)).toEqual(['tidings:expiring']);
    expect(types(bob)).toEqual(['tidings:expiring', 'tidings:goodbye']);
    expect(bob.connection).toBeUndefined();
  });
});

test('A peer that takes bytes while they are written to it loses nothing around a change or an event of its own', async () => {
  const { hub, clock, publish } = startHub();
  const recorder = record(hub);
  // As the streams of `fetch` do: they ask for more within `enqueue`.
  recorder.onWrite = () => recorder.connection.drained();
  await settle();
  clock.tick();
  await publish('a', 1);
  const claim = { connection: recorder.connection.info.id, secret: secretOf(recorder.connection) };
  const terms = { wanted: createMatcherSet(['a', 'b']), granted: createMatcherSet([]), expiresAt: undefined };
  await gatewayOf(hub).change(claim, () => terms);
  await publish('b', 2);
  expect(hub.send(claim.connection, { data: 3 })).toBe(true);
  await publish('b', 4);
  await settle();
  clock.tick();
  const data = [...recorder.text().matchAll(/^data: (\d)$/gm)].map(([, digit]) => digit);
  expect(data).toEqual(['1', '2', '3', '4']);
  expect(recorder.text()).toContain('tidings:subscribed');
});
