import type { DashboardSnapshot, MetricName, Metrics } from '../../shared/api.ts';

/** The newest samples, oldest first. */
export interface History {
  /** @param metrics undefined: nothing was sampled for a while from here on */
  add(at: number, metrics: Metrics | undefined): void;
  columns(): DashboardSnapshot['history'];
}

/** @param span milliseconds that are kept */
export function createHistory(span: number): History {
  const rows: { at: number; metrics: Metrics | undefined }[] = [];

  return {
    add(at, metrics) {
      rows.push({ at, metrics });
      const keep = rows.findIndex((row) => row.at > at - span);
      rows.splice(0, keep);
    },
    columns() {
      const series = {} as Record<MetricName, (number | null)[]>;
      for (const name of metricNames) series[name] = rows.map(({ metrics }) => metrics?.[name] ?? null);
      return { at: rows.map(({ at }) => at), series };
    },
  };
}

/** Every name once: the compiler refuses a missing one. */
const order: Record<MetricName, true> = {
  connections: true,
  usersOnline: true,
  publishedPerSecond: true,
  deliveredPerSecond: true,
  bytesPerSecond: true,
  lagP50: true,
  lagP99: true,
  loopDelayP50: true,
  loopDelayP99: true,
  rss: true,
  heapUsed: true,
  posts: true,
  pageViews: true,
};

export const metricNames: readonly MetricName[] = Object.keys(order) as MetricName[];
