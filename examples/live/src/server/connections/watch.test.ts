import { createHub } from 'tidings';
import type { ConnectionInfo, HubStats } from 'tidings';
import { beforeEach, expect, test } from 'vitest';
import type { ConnectionsDelta } from '../../shared/api.ts';
import { manualClock } from '../testing/clock.ts';
import type { ManualClock } from '../testing/clock.ts';
import { createConnectionWatch } from './watch.ts';
import type { ConnectionWatch } from './watch.ts';

let connections: ConnectionInfo[];
let watchers: number;
let stats: HubStats;
let told: ConnectionsDelta[];
let watch: ConnectionWatch;
let clock: ManualClock;
/** How often all connections were listed. */
let lists: number;

function connection(id: string, bytes = 0): ConnectionInfo {
  return {
    id,
    subject: undefined,
    remote: '192.0.2.1',
    userAgent: 'curl/8',
    protocol: 'HTTP/1.1',
    topics: ['connections'],
    phase: 'live',
    lag: 0,
    bytes,
    connectedAt: 0,
  };
}

beforeEach(() => {
  connections = [];
  watchers = 1;
  stats = createHub().stats();
  told = [];
  lists = 0;
  clock = manualClock();
  watch = createConnectionWatch({
    clock,
    node: 'one',
    hub: {
      connections: () => (lists++, connections),
      watchers: () => watchers,
      presence: () => ({ count: 0, members: [] }),
      stats: () => stats,
    },
    announce: (...announcements) => {
      for (const { data } of announcements) told.push(data as ConnectionsDelta);
      return Promise.resolve();
    },
  });
});

async function tick(): Promise<{ upserted: string[]; removed: string[]; total: number } | undefined> {
  await watch.tick();
  const delta = told.pop();
  return (
    delta && { upserted: delta.upserted.map(({ id }) => id), removed: delta.removed, total: delta.total }
  );
}

test('publishes new, changed and removed connections, and nothing else', async () => {
  connections = [connection('a'), connection('b')];
  expect(watch.snapshot('ann')).toMatchObject({ total: 2, connections: [{ id: 'a' }, { id: 'b' }] });
  expect(await tick()).toBeUndefined();
  connections = [connection('a', 10), connection('c')];
  expect(await tick()).toEqual({ upserted: ['a', 'c'], removed: ['b'], total: 2 });
  expect(await tick()).toBeUndefined();
});

test('does nothing while no page watches, and begins anew with the next one', async () => {
  watchers = 0;
  connections = [connection('a')];
  expect(await tick()).toBeUndefined();
  watchers = 1;
  watch.snapshot('ann');
  expect(await tick()).toBeUndefined();
});

test('a snapshot for a later page hides no change from earlier ones', async () => {
  watch.snapshot('ann');
  connections = [connection('a')];
  const { version } = watch.snapshot('ann');
  await watch.tick();
  expect(told).toMatchObject([{ upserted: [{ id: 'a' }] }]);
  expect(told[0]?.version).toBeGreaterThan(version);
});

test('lists at most a few hundred, the oldest, but counts all', async () => {
  connections = Array.from({ length: 1000 }, (_, i) => connection(`c${i}`));
  const snapshot = watch.snapshot('ann');
  expect(snapshot.connections).toHaveLength(300);
  expect(snapshot.total).toBe(1000);
  connections = connections.slice(0, 999);
  expect(await tick()).toEqual({ upserted: [], removed: [], total: 999 });
});

test('publishes the hub’s figures as they change', async () => {
  const { tail } = stats;
  expect(watch.snapshot('ann').hub).toEqual({ behind: 0, stalled: 0, head: 0, tailEvents: 0, tailBytes: 0 });
  stats = { ...stats, behind: 2, stalled: 1, tail: { ...tail, head: 7, events: 5, bytes: 900 } };
  await watch.tick();
  expect(told).toMatchObject([
    { upserted: [], hub: { behind: 2, stalled: 1, head: 7, tailEvents: 5, tailBytes: 900 } },
  ]);
});

test('many visitors at once share one list of all connections each second', () => {
  for (let i = 0; i < 100; i += 1) watch.snapshot('ann');
  expect(lists).toBe(1);
  clock.advance(1000);
  connections = [connection('a')];
  expect(watch.snapshot('ann')).toMatchObject({ total: 1 });
  expect(lists).toBe(2);
});

test('a busy hub’s connections are published in events of valid size', async () => {
  connections = Array.from({ length: 300 }, (_, i) => connection(`c${i}-${'x'.repeat(30)}`));
  watch.snapshot('ann');
  connections = connections.map((row) => ({
    ...row,
    bytes: 123_456_789,
    topics: Array(10).fill('connections'),
  }));
  await watch.tick();
  expect(told.flatMap(({ upserted }) => upserted)).toHaveLength(300);
  for (const delta of told) expect(JSON.stringify(delta).length).toBeLessThan(65_536);
  connections = [];
  told = [];
  await watch.tick();
  expect(told).toMatchObject([{ total: 0, upserted: [] }]);
  expect(told[0]?.removed).toHaveLength(300);
});

test('a browser finds its own connections by a mark that says nothing of its visitor', () => {
  connections = [connection('a'), connection('b'), connection('c')];
  const overs = [watch.add('a', 'ann'), watch.add('b', 'bob'), watch.add('c', 'ann')];
  const { own, connections: rows } = watch.snapshot('ann');
  expect(rows.map(({ browser }) => browser === own)).toEqual([true, false, true]);
  expect(own).toMatch(/^[\w-]{10}$/);
  for (const over of overs) over();
  clock.advance(2000);
  expect(watch.snapshot('ann').connections.map(({ browser }) => browser)).toEqual([null, null, null]);
});
