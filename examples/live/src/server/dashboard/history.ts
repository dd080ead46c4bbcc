import type { DashboardSnapshot, MetricName, Metrics } from '../../shared/api.ts';

/** The newest samples, oldest first: the last minutes as they were taken, the time before in steps. */
export interface History {
  add(at: number, metrics: Metrics): void;
  columns(): DashboardSnapshot['history'];
}

export interface HistoryOptions {
  /** Milliseconds that are kept in all. */
  readonly span: number;
  /** Milliseconds of which each sample is kept. */
  readonly fine: number;
  /** Milliseconds of older samples that become one. */
  readonly step: number;
  /** Samples further apart than this, in milliseconds, have a gap between them: the machine slept, say. */
  readonly gap: number;
}

interface Row {
  readonly at: number;
  /** undefined: nothing is known from here on. */
  readonly metrics: Metrics | undefined;
}

export function createHistory({ span, fine, step, gap }: HistoryOptions): History {
  let coarse: Row[] = [];
  const recent: Row[] = [];
  /** Rows that are no longer recent, of a step that is not over. */
  let pending: Row[] = [];

  function endStep(): void {
    if (pending.length > 0) coarse.push(merge(pending));
    pending = [];
  }

  /** Every row once, as it leaves the time of which each sample is kept. */
  function coarsen(row: Row): void {
    const first = pending[0];
    const isGap = row.metrics === undefined;
    if (isGap || (first !== undefined && stepOf(first) !== stepOf(row))) endStep();
    if (isGap) coarse.push(row);
    else pending.push(row);
  }

  const stepOf = (row: Row): number => Math.floor(row.at / step);

  return {
    add(at, metrics) {
      const last = recent.at(-1);
      if (last !== undefined && at - last.at > gap) recent.push({ at: last.at + 1, metrics: undefined });
      recent.push({ at, metrics });
      const old = recent.findIndex((row) => row.at > at - fine);
      for (const row of recent.splice(0, old)) coarsen(row);
      const kept = coarse.findIndex((row) => row.at > at - span);
      coarse = kept === -1 ? [] : coarse.slice(kept);
    },
    columns() {
      const step = pending.length > 0 ? [merge(pending)] : [];
      const rows = [...coarse, ...step, ...recent];
      const series = {} as Record<MetricName, (number | null)[]>;
      for (const name of metricNames) series[name] = rows.map(({ metrics }) => metrics?.[name] ?? null);
      return { at: rows.map(({ at }) => at), series };
    },
  };
}

type Merge = (values: readonly number[]) => number;
const mean: Merge = (values) => Math.round(values.reduce((sum, value) => sum + value, 0) / values.length);
const worst: Merge = (values) => Math.max(...values);
const last: Merge = (values) => values.at(-1) ?? 0;

/** Every name once (the compiler refuses a missing one), with the way to merge its samples. */
const merges: Record<MetricName, Merge> = {
  connections: worst,
  usersOnline: worst,
  publishedPerSecond: mean,
  deliveredPerSecond: mean,
  bytesPerSecond: mean,
  lagP50: worst,
  lagP99: worst,
  loopDelayP50: worst,
  loopDelayP99: worst,
  rss: worst,
  heapUsed: worst,
  posts: last,
  pageViews: last,
};

export const metricNames: readonly MetricName[] = Object.keys(merges) as MetricName[];

/** One row that stands for these; at the time of the first. */
function merge(rows: readonly Row[]): Row {
  const metrics = Object.fromEntries(
    metricNames.map((name) => {
      const values = rows.flatMap((row) => row.metrics?.[name] ?? []);
      return [name, values.length === 0 ? null : merges[name](values)];
    }),
  ) as unknown as Metrics;
  return { at: rows[0]?.at ?? 0, metrics };
}
