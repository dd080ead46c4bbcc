import { expect, test } from 'vitest';
import type { Metrics } from '../../shared/api.ts';
import { createHistory, metricNames } from './history.ts';
import type { History } from './history.ts';

const START = 1_700_000_000_000;
const MINUTE = 60_000;
const create = (): History => createHistory({ span: 30 * MINUTE, fine: 5 * MINUTE, step: 10_000, gap: 3000 });

function metrics(value: number | null): Metrics {
  return Object.fromEntries(metricNames.map((name) => [name, value])) as unknown as Metrics;
}

/** A sample each second; the figures are the number of the second. */
function run(history: History, seconds: number, from = 0): void {
  for (let i = from; i < from + seconds; i += 1) history.add(START + i * 1000, metrics(i));
}

test('half an hour is kept, in few enough rows to greet everybody with', () => {
  const history = create();
  run(history, 7200);
  const { at } = history.columns();
  const newest = START + 7199 * 1000;
  expect(at.at(-1)).toBe(newest);
  expect(newest - (at[0] ?? 0)).toBeGreaterThan(29.5 * MINUTE);
  expect(newest - (at[0] ?? 0)).toBeLessThanOrEqual(30 * MINUTE);
  expect(at.length).toBeLessThanOrEqual(300 + 152);
});

test('the last five minutes are kept as sampled, and times always increase', () => {
  const history = create();
  run(history, 1234);
  const { at, series } = history.columns();
  expect(series.posts.slice(-300)).toEqual(Array.from({ length: 300 }, (_, i) => 934 + i));
  expect(at.every((time, i) => i === 0 || time > (at[i - 1] ?? 0))).toBe(true);
});

test('older rates are means, delays and peaks the worst, totals the last of their step', () => {
  const history = create();
  run(history, 400);
  const { at, series } = history.columns();
  expect(at[0]).toBe(START);
  expect(at[1]).toBe(START + 10_000);
  expect([series.bytesPerSecond[1], series.lagP99[1], series.connections[1], series.posts[1]]).toEqual([
    15, 19, 19, 19,
  ]);
});

test('a figure that was unknown for a whole step stays unknown', () => {
  const history = create();
  for (let i = 0; i < 400; i += 1) history.add(START + i * 1000, metrics(null));
  expect(new Set(history.columns().series.lagP50)).toEqual(new Set([null]));
});

test('a time without samples is a gap, even once it is old', () => {
  const history = create();
  run(history, 10);
  run(history, 10, 100);
  expect(history.columns().series.posts.slice(9, 12)).toEqual([9, null, 100]);
  run(history, 400, 110);
  const { series } = history.columns();
  const gap = series.posts.indexOf(null);
  expect(series.posts.slice(gap - 1, gap + 2)).toEqual([9, null, 109]);
});
