import { beforeEach, expect, test } from 'vitest';
import type { DashboardDelta, Metrics, NodeFigures } from '../../shared/api.ts';
import { manualClock } from '../testing/clock.ts';
import type { ManualClock } from '../testing/clock.ts';
import { createDashboard } from './dashboard.ts';
import type { Dashboard } from './dashboard.ts';
import { metricNames } from './history.ts';

let clock: ManualClock;
let watchers: number;
let samples: number;
let current: Metrics;
let nodes: NodeFigures[];
let toldNodes: unknown[];
let told: (DashboardDelta & { key: string | undefined })[];
let dashboard: Dashboard;

beforeEach(() => {
  clock = manualClock();
  watchers = 0;
  samples = 0;
  current = Object.fromEntries(metricNames.map((name) => [name, 0])) as unknown as Metrics;
  told = [];
  nodes = [];
  toldNodes = [];
  dashboard = createDashboard({
    clock,
    node: 'one',
    nodes: { figures: () => nodes },
    interval: 1000,
    startedAt: 5,
    hub: { watchers: () => watchers, presence: () => ({ count: 0, members: [] }) },
    sampler: {
      sample() {
        samples += 1;
        return { ...current };
      },
      totals: () => ({ posts: current.posts, pageViews: current.pageViews }),
      streams: () => ({ connections: current.connections, usersOnline: current.usersOnline }),
      close: () => undefined,
    },
    announce: (...announcements) => {
      for (const { type, key, data } of announcements) {
        if (type === 'dashboard:nodes') toldNodes.push(data);
        else told.push({ key, ...(data as DashboardDelta) });
      }
      return Promise.resolve();
    },
  });
});

async function second(): Promise<void> {
  clock.advance(1000);
  await dashboard.tick();
}

test('samples while no page watches, and publishes nothing', async () => {
  await second();
  current.posts = 1;
  await second();
  expect(samples).toBe(2);
  expect(told).toEqual([]);
  watchers = 1;
  expect(dashboard.snapshot().history.series.posts).toEqual([0, 1]);
});

test('gives new pages a snapshot at once, and samples once for all of them', async () => {
  watchers = 1;
  current.posts = 3;
  const first = dashboard.snapshot();
  expect(first).toMatchObject({ at: clock.now(), startedAt: 5, interval: 1000, metrics: { posts: 3 } });
  watchers = 2;
  dashboard.snapshot();
  expect(samples).toBe(1);
  await second();
  expect(samples).toBe(2);
});

test('publishes only changed groups, each as a whole under its key', async () => {
  watchers = 1;
  const { version } = dashboard.snapshot();
  await second();
  expect(told).toEqual([]);
  current.posts = 1;
  current.lagP50 = null;
  await second();
  const at = clock.now();
  const delays = { lagP50: null, lagP99: 0, loopDelayP50: 0, loopDelayP99: 0 };
  expect(told).toEqual([
    { key: 'one delays', node: 'one', version: expect.any(Number), at, metrics: delays },
    { key: 'one totals', node: 'one', version: expect.any(Number), at, metrics: { posts: 1, pageViews: 0 } },
  ]);
  const versions = [version, ...told.map((delta) => delta.version)];
  expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b));
});

test('the groups are all the figures', async () => {
  watchers = 1;
  await second();
  expect(told.flatMap(({ metrics }) => Object.keys(metrics)).sort()).toEqual([...metricNames].sort());
});

test('publishes totals as they change, once, and not while no page watches', async () => {
  await dashboard.tellTotals();
  expect(told).toEqual([]);
  watchers = 1;
  dashboard.snapshot();
  current.posts = 1;
  await dashboard.tellTotals();
  expect(told).toMatchObject([{ key: 'one totals', metrics: { posts: 1, pageViews: 0 } }]);
  expect(dashboard.snapshot().metrics.posts).toBe(1);
  await second();
  expect(told).toHaveLength(1);
});

test('a snapshot counts the page that it greets, and other pages get the change too', async () => {
  watchers = 1;
  await second();
  current.connections = 1;
  expect(dashboard.snapshot().metrics.connections).toBe(1);
  told = [];
  await second();
  expect(told).toMatchObject([{ key: 'one streams', metrics: { connections: 1 } }]);
});

test('a page greeted with a connection that is gone at the next sample is told so', async () => {
  watchers = 1;
  current.connections = 1;
  await second();
  current.connections = 2;
  expect(dashboard.snapshot().metrics.connections).toBe(2);
  current.connections = 1;
  told = [];
  await second();
  expect(told).toMatchObject([{ key: 'one streams', metrics: { connections: 1 } }]);
  await second();
  expect(told).toHaveLength(1);
});

test('a snapshot contains the history in columns, ending with its own metrics', async () => {
  watchers = 1;
  dashboard.snapshot();
  for (let i = 1; i <= 3; i += 1) {
    current.posts = i;
    await second();
  }
  const { history, metrics, at } = dashboard.snapshot();
  expect(history.series.posts).toEqual([0, 1, 2, 3]);
  expect(history.at).toHaveLength(4);
  expect(history.at.at(-1)).toBe(at);
  expect(metrics.posts).toBe(3);
});

test('the history is half an hour, watched or not', async () => {
  for (let i = 0; i < 4000; i += 1) await second();
  const { history, at } = dashboard.snapshot();
  expect(at - (history.at[0] ?? 0)).toBeGreaterThan(29 * 60_000);
  expect(history.at.length).toBeLessThan(460);
});

test('a time in which the process did not run is a gap', async () => {
  await second();
  clock.advance(60_000);
  await second();
  expect(dashboard.snapshot().history.series.posts).toEqual([0, null, 0]);
});

test('the list of nodes is published when it changes, and is part of a snapshot', async () => {
  watchers = 1;
  const node: NodeFigures = {
    id: 'x',
    name: 'one',
    startedAt: 5,
    connections: 1,
    publishedPerSecond: null,
    deliveredPerSecond: null,
  };
  nodes = [node];
  await second();
  await second();
  nodes = [node, { ...node, id: 'y', name: 'two' }];
  await second();
  expect(toldNodes).toEqual([
    { node: 'one', nodes: [node] },
    { node: 'one', nodes },
  ]);
  expect(dashboard.snapshot()).toMatchObject({ node: 'one', nodes });
});
