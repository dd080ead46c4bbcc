import type { Durations, HubHealth, HubStats } from '../hub/index.ts';
import type { MetricInfo, MetricType, Sample } from './metric.ts';

/** All that the metrics of a hub are made of, read at one moment. */
export interface Reading {
  readonly stats: HubStats;
  readonly health: HubHealth;
  readonly nodes: number;
}

export interface HubMetric extends MetricInfo {
  readonly read: (reading: Reading) => readonly Sample[];
}

/** A hub's metrics. `docs/guides/operate.md` explains each of them, and a test keeps that page complete. */
export const HUB_METRICS: readonly HubMetric[] = [
  one('gauge', 'connections', 'Open event streams.', ({ stats }) => stats.connections - stats.inProcess),
  one(
    'gauge',
    'connections_behind',
    "Event streams that are not at the log's head: they catch up, begin or end.",
    ({ stats }) => stats.behind - stats.inProcessBehind,
  ),
  one(
    'gauge',
    'local_readers',
    "Loops of this process's own that read events.",
    ({ stats }) => stats.inProcess,
  ),
  each(
    'counter',
    'connects_total',
    'Event streams that began: new, resumed exactly, or with a gap.',
    'verdict',
    ({ stats }) => stats.connects,
  ),
  each(
    'counter',
    'refused_connects_total',
    'Attempts to connect that were refused, by error code.',
    'code',
    ({ stats }) => stats.refused,
  ),
  each(
    'counter',
    'disconnects_total',
    'Event streams that are over, by reason: a goodbye, or left, stalled, failed.',
    'reason',
    ({ stats }) => stats.ends,
  ),
  each(
    'counter',
    'gaps_total',
    'Gaps reported to subscribers, by reason.',
    'reason',
    ({ stats }) => stats.gaps,
  ),
  one('gauge', 'topics', 'Distinct topics and patterns that are asked for.', ({ stats }) => stats.topics),
  one(
    'counter',
    'published_events_total',
    'Events that this hub has published.',
    ({ stats }) => stats.published,
  ),
  each(
    'counter',
    'publish_failures_total',
    'Calls of publish and publishAll that failed, by error code.',
    'code',
    ({ stats }) => stats.publishFailed,
  ),
  histogram(
    'publish_seconds',
    'Time from the call of publish or publishAll until the log had the events.',
    ({ stats }) => stats.publishTime,
  ),
  one(
    'counter',
    'delivered_events_total',
    'Events handed to event streams, once for each stream.',
    ({ stats }) => stats.delivered,
  ),
  one('counter', 'delivered_bytes_total', 'Bytes handed to event streams.', ({ stats }) => stats.bytes),
  histogram(
    'delivery_seconds',
    'Time from append to the last write of the flush, once for each flush.',
    ({ stats }) => stats.deliveryTime,
  ),
  one('gauge', 'log_head', 'The seq of the newest event of the log.', ({ stats }) => stats.tail.head),
  one(
    'gauge',
    'log_events',
    'Seqs from the oldest event that the log may still have to its newest.',
    ({ stats }) => stats.log.events,
  ),
  one(
    'gauge',
    'tail_events',
    'Newest events of the log that are kept in memory.',
    ({ stats }) => stats.tail.events,
  ),
  one('gauge', 'tail_bytes', 'Bytes of these events.', ({ stats }) => stats.tail.bytes),
  one('gauge', 'log_up', "Whether the log's engine answers.", ({ health }) => Number(health.log.up)),
  one(
    'gauge',
    'log_answer_seconds',
    "Time that the log's engine took for its latest answer, or has kept the hub waiting for it.",
    ({ health }) => health.log.took / 1000,
  ),
  one('gauge', 'ready', 'Whether new connections are welcome.', ({ health }) => Number(health.ready)),
  one('gauge', 'nodes', 'Hubs on the log, with this one.', ({ nodes }) => nodes),
];

function one(type: MetricType, name: string, help: string, read: (reading: Reading) => number): HubMetric {
  return { type, name: `tidings_${name}`, help, read: (reading) => [{ labels: {}, value: read(reading) }] };
}

/** A sample for each name in a table of counts. */
function each(
  type: MetricType,
  name: string,
  help: string,
  label: string,
  read: (reading: Reading) => Readonly<Record<string, number>>,
): HubMetric {
  return {
    type,
    name: `tidings_${name}`,
    help,
    label,
    read: (reading) =>
      Object.entries(read(reading)).map(([key, value]) => ({ labels: { [label]: key }, value })),
  };
}

function histogram(suffix: string, help: string, read: (reading: Reading) => Durations): HubMetric {
  const name = `tidings_${suffix}`;
  return {
    type: 'histogram',
    name,
    help,
    read(reading) {
      const { bounds, counts, sum } = read(reading);
      let total = 0;
      const buckets = counts.map((count, i) => {
        total += count;
        const bound = bounds[i];
        const le = bound === undefined ? '+Inf' : bound / 1000;
        return { metricName: `${name}_bucket`, labels: { le }, value: total };
      });
      return [
        ...buckets,
        { metricName: `${name}_sum`, labels: {}, value: sum / 1000 },
        { metricName: `${name}_count`, labels: {}, value: total },
      ];
    },
  };
}
