import { expect, test } from 'vitest';
import type { DashboardSnapshot } from '../../shared/api.ts';
import { METRIC_NAMES, UNKNOWN_METRICS } from '../lib/history.ts';
import { applyDelta, applySnapshot } from './metrics.ts';

function snapshot(version: number, at: number, connections: number): DashboardSnapshot {
  const metrics = { ...UNKNOWN_METRICS, connections };
  const series = Object.fromEntries(METRIC_NAMES.map((name) => [name, [metrics[name]]]));
  return {
    version,
    node: 'one',
    nodes: [],
    at,
    startedAt: 0,
    interval: 1_000,
    metrics,
    history: { at: [at], series: series as DashboardSnapshot['history']['series'] },
  };
}

test('a delta changes only the figures it names', () => {
  const first = applySnapshot(undefined, snapshot(1, 1_000, 4), 1_000);
  const next = applyDelta(first, { version: 2, node: 'one', at: 2_000, metrics: { rss: 7 } }, 1_900);
  expect(next?.metrics).toMatchObject({ connections: 4, rss: 7 });
  expect(next?.samples.map(({ at }) => at)).toEqual([1_000, 2_000]);
  // The snapshot was of some time ago: the server's clock is ahead at least as far as a newer event shows.
  expect([first.ahead, next?.ahead]).toEqual([0, 100]);
});

test('a delta older than the snapshot is ignored, and so is one before any snapshot', () => {
  const first = applySnapshot(undefined, snapshot(5, 1_000, 4), 1_000);
  expect(applyDelta(first, { version: 5, node: 'one', at: 9_000, metrics: { connections: 0 } }, 9_000)).toBe(
    first,
  );
  expect(applyDelta(undefined, { version: 1, node: 'one', at: 1, metrics: {} }, 1)).toBeUndefined();
});

test('after a restart the snapshot wins although its version is lower, and the charts go on with a gap between', () => {
  const before = applySnapshot(undefined, snapshot(90, 1_000, 4), 1_000);
  const after = applySnapshot(before, snapshot(1, 20_000, 1), 20_000);
  expect(after.version).toBe(1);
  expect(after.samples.map(({ at, metrics }) => [at, metrics.connections])).toEqual([
    [1_000, 4],
    [2_000, null],
    [20_000, 1],
  ]);
});

test('figures of another process are ignored, and after a move to it its own history is shown', () => {
  const first = applySnapshot(undefined, snapshot(1, 1_000, 4), 1_000);
  expect(applyDelta(first, { version: 9, node: 'two', at: 2_000, metrics: { connections: 0 } }, 2_000)).toBe(
    first,
  );
  const moved = applySnapshot(first, { ...snapshot(2, 3_000, 7), node: 'two' }, 3_000);
  expect(moved.samples.map(({ at, metrics }) => [at, metrics.connections])).toEqual([[3_000, 7]]);
});
