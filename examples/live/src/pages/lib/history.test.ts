import { describe, expect, test } from 'vitest';
import {
  appendSample,
  mergeHistory,
  METRIC_NAMES,
  samplesOf,
  summarize,
  trimHistory,
  UNKNOWN_METRICS,
} from './history.ts';
import type { Sample } from './history.ts';

const INTERVAL = 1_000;

/** A sample at a second, with one figure. */
function sample(second: number, connections: number | null): Sample {
  return { at: second * 1_000, metrics: { ...UNKNOWN_METRICS, connections } };
}

function told(samples: readonly Sample[]): (readonly [number, number | null])[] {
  return samples.map(({ at, metrics }) => [at / 1_000, metrics.connections]);
}

describe('merging a snapshot into the history of a page', () => {
  test('a page without history takes the whole snapshot', () => {
    expect(told(mergeHistory([], [sample(1, 5), sample(2, 6)], INTERVAL))).toEqual([
      [1, 5],
      [2, 6],
    ]);
  });

  test('the snapshot wins where both have samples, and older samples stay', () => {
    const merged = mergeHistory(
      [sample(1, 1), sample(2, 2), sample(3, 3)],
      [sample(2, 20), sample(3, 30)],
      INTERVAL,
    );
    expect(told(merged)).toEqual([
      [1, 1],
      [2, 20],
      [3, 30],
    ]);
  });

  test('a time without samples in either becomes a gap, not a line or a zero', () => {
    const merged = mergeHistory([sample(1, 1)], [sample(10, 10)], INTERVAL);
    expect(told(merged)).toEqual([
      [1, 1],
      [2, null],
      [10, 10],
    ]);
  });

  test('a snapshot that continues right after the page’s samples leaves no gap', () => {
    expect(told(mergeHistory([sample(1, 1)], [sample(2, 2)], INTERVAL))).toEqual([
      [1, 1],
      [2, 2],
    ]);
  });

  test('a gap is added only once', () => {
    const once = mergeHistory([sample(1, 1)], [sample(10, null)], INTERVAL);
    const twice = mergeHistory(once, [sample(20, 2)], INTERVAL);
    expect(told(twice)).toEqual([
      [1, 1],
      [2, null],
      [10, null],
      [20, 2],
    ]);
  });

  test('merging the same snapshot again changes nothing', () => {
    const snapshot = [sample(5, 5), sample(6, 6)];
    const once = mergeHistory([sample(1, 1)], snapshot, INTERVAL);
    expect(mergeHistory(once, snapshot, INTERVAL)).toEqual(once);
  });

  test('an empty snapshot removes nothing', () => {
    expect(told(mergeHistory([sample(1, 1)], [], INTERVAL))).toEqual([[1, 1]]);
  });
});

describe('appending a sample', () => {
  test('the next second is appended', () => {
    expect(told(appendSample([sample(1, 1)], sample(2, 2), INTERVAL))).toEqual([
      [1, 1],
      [2, 2],
    ]);
  });

  test('seconds without a sample repeat the last figures', () => {
    expect(told(appendSample([sample(1, 1)], sample(10, 2), INTERVAL))).toEqual([
      [1, 1],
      [9, 1],
      [10, 2],
    ]);
  });

  test('a sample of a known time replaces the old one', () => {
    expect(told(appendSample([sample(1, 1), sample(2, 2)], sample(2, 3), INTERVAL))).toEqual([
      [1, 1],
      [2, 3],
    ]);
  });
});

describe('trimming', () => {
  test('keeps the one sample before, from which the line starts', () => {
    expect(told(trimHistory([sample(1, 1), sample(2, 2), sample(3, 3)], 3_000))).toEqual([
      [2, 2],
      [3, 3],
    ]);
  });

  test('keeps the last sample however old it is', () => {
    expect(told(trimHistory([sample(1, 1), sample(2, 2)], 60_000))).toEqual([[2, 2]]);
  });
});

describe('summarizing', () => {
  test('counts only known values of the requested time', () => {
    const samples = [sample(1, 100), sample(2, 4), sample(3, null), sample(4, 8)];
    expect(summarize(samples, 'connections', 2_000)).toEqual({ min: 4, mean: 6, max: 8 });
  });

  test('gives undefined for a figure that was never known', () => {
    expect(summarize([sample(1, 1)], 'lagP99', 0)).toBeUndefined();
  });
});

test('the columns of a snapshot become rows, and missing values are unknown', () => {
  const series = Object.fromEntries(METRIC_NAMES.map((name) => [name, [1, null]])) as Record<
    (typeof METRIC_NAMES)[number],
    (number | null)[]
  >;
  const [first, second, third] = samplesOf({ at: [1, 2, 3], series });
  expect(first?.metrics.rss).toBe(1);
  expect(second?.metrics).toEqual(UNKNOWN_METRICS);
  expect(third?.metrics).toEqual(UNKNOWN_METRICS);
});
