import type { DashboardSnapshot, MetricName, Metrics } from '../../shared/api.ts';

/** The figures at one moment; null: not known at that moment, which a chart draws as a gap. */
export interface Sample {
  readonly at: number;
  readonly metrics: Metrics;
}

/** Samples further apart than this many intervals have a gap between them. */
const GAP_INTERVALS = 2.5;

/** The row that stands for "nothing is known here". */
export const UNKNOWN_METRICS: Metrics = {
  connections: null,
  usersOnline: null,
  publishedPerSecond: null,
  deliveredPerSecond: null,
  bytesPerSecond: null,
  lagP50: null,
  lagP99: null,
  loopDelayP50: null,
  loopDelayP99: null,
  rss: null,
  heapUsed: null,
  posts: null,
  pageViews: null,
};

export const METRIC_NAMES: readonly MetricName[] = Object.keys(UNKNOWN_METRICS) as MetricName[];

/** The rows of a snapshot's columns. */
export function samplesOf(history: DashboardSnapshot['history']): Sample[] {
  return history.at.map((at, row) => {
    const metrics = { ...UNKNOWN_METRICS };
    for (const name of METRIC_NAMES) metrics[name] = history.series[name][row] ?? null;
    return { at, metrics };
  });
}

/**
 * A page's history, continued by a snapshot: the snapshot's samples win over the time they cover, the older ones stay,
 * and where the two do not meet (the page or the server was away) there is a gap.
 */
export function mergeHistory(have: readonly Sample[], told: readonly Sample[], interval: number): Sample[] {
  const first = told[0];
  if (first === undefined) return [...have];
  const kept = have.filter((sample) => sample.at < first.at);
  const last = kept.at(-1);
  if (last !== undefined && isKnown(last) && first.at - last.at > GAP_INTERVALS * interval) {
    kept.push({ at: last.at + interval, metrics: UNKNOWN_METRICS });
  }
  return [...kept, ...told];
}

/**
 * One more sample. While connected, no news means no change: seconds without a sample repeat the last figures, which
 * makes a chart draw a step where a straight line between the two would claim a slow change.
 */
export function appendSample(have: readonly Sample[], next: Sample, interval: number): Sample[] {
  const last = have.at(-1);
  if (last === undefined || last.at >= next.at)
    return [...have.filter((sample) => sample.at < next.at), next];
  const quiet = next.at - last.at > 1.5 * interval;
  return quiet ? [...have, { at: next.at - interval, metrics: last.metrics }, next] : [...have, next];
}

/** Drops samples older than `from`, except the last one before it, where a chart's line starts. */
export function trimHistory(have: readonly Sample[], from: number): Sample[] {
  const first = have.findIndex((sample) => sample.at >= from);
  if (first === -1) return have.slice(-1);
  return have.slice(Math.max(0, first - 1));
}

/** Smallest, mean and largest known value of one figure since `from`; undefined if none is known. */
export function summarize(
  have: readonly Sample[],
  name: MetricName,
  from: number,
): { min: number; mean: number; max: number } | undefined {
  const values = have.flatMap((sample) => (sample.at >= from ? (sample.metrics[name] ?? []) : []));
  if (values.length === 0) return undefined;
  let [min, max, sum] = [Infinity, -Infinity, 0];
  for (const value of values) {
    min = Math.min(min, value);
    max = Math.max(max, value);
    sum += value;
  }
  return { min, mean: sum / values.length, max };
}

function isKnown(sample: Sample): boolean {
  return METRIC_NAMES.some((name) => sample.metrics[name] !== null);
}
