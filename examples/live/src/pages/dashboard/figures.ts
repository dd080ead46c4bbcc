import type { MetricName, Metrics } from '../../shared/api.ts';
import { formatByteRate, formatBytes, formatCount, formatMs, formatRate } from '../lib/format.ts';

type Format = (value: number | null | undefined) => string;

export interface Figure {
  readonly name: MetricName;
  readonly label: string;
  readonly format: Format;
}

const exact: Format = (value) => formatCount(value, true);

/** Every figure by its name, with the words and the unit it is shown in. */
export const FIGURES: Readonly<Record<MetricName, Figure>> = {
  connections: { name: 'connections', label: 'Connections', format: exact },
  usersOnline: { name: 'usersOnline', label: 'Users online', format: exact },
  publishedPerSecond: { name: 'publishedPerSecond', label: 'Events published', format: formatRate },
  deliveredPerSecond: { name: 'deliveredPerSecond', label: 'Events delivered', format: formatRate },
  bytesPerSecond: { name: 'bytesPerSecond', label: 'Bytes sent', format: formatByteRate },
  lagP50: { name: 'lagP50', label: 'Delivery lag, p50', format: formatMs },
  lagP99: { name: 'lagP99', label: 'Delivery lag, p99', format: formatMs },
  loopDelayP50: { name: 'loopDelayP50', label: 'Event-loop delay, p50', format: formatMs },
  loopDelayP99: { name: 'loopDelayP99', label: 'Event-loop delay, p99', format: formatMs },
  rss: { name: 'rss', label: 'Memory', format: formatBytes },
  heapUsed: { name: 'heapUsed', label: 'Heap in use', format: formatBytes },
  posts: { name: 'posts', label: 'Posts', format: exact },
  pageViews: { name: 'pageViews', label: 'Page views', format: exact },
};

export interface TilePlan {
  readonly label: string;
  readonly figure: Figure;
  readonly note: (metrics: Metrics) => string;
}

/** The tiles, in order. */
export const TILES: readonly TilePlan[] = [
  { label: 'Connections', figure: FIGURES.connections, note: () => 'open event streams' },
  { label: 'Users online', figure: FIGURES.usersOnline, note: () => 'signed in and connected' },
  {
    label: 'Delivered',
    figure: FIGURES.deliveredPerSecond,
    note: (metrics) => `${formatRate(metrics.publishedPerSecond)} published`,
  },
  { label: 'Sent', figure: FIGURES.bytesPerSecond, note: () => 'to all streams together' },
  {
    label: 'Delivery lag, p99',
    figure: FIGURES.lagP99,
    note: (metrics) => `p50 ${formatMs(metrics.lagP50)}`,
  },
  {
    label: 'Event-loop delay, p99',
    figure: FIGURES.loopDelayP99,
    note: (metrics) => `p50 ${formatMs(metrics.loopDelayP50)}`,
  },
  { label: 'Memory', figure: FIGURES.rss, note: (metrics) => `heap ${formatBytes(metrics.heapUsed)}` },
  { label: 'Posts', figure: FIGURES.posts, note: () => 'in the feed' },
  { label: 'Page views', figure: FIGURES.pageViews, note: () => 'of all time' },
];

export interface ChartPlan {
  readonly title: string;
  readonly kind: 'line' | 'steps';
  readonly floor: number;
  readonly whole?: boolean;
  readonly lines: readonly { readonly figure: Figure; readonly label: string }[];
}

const MEGABYTE = 1_000_000;

/** The charts, in order. */
export const CHARTS: readonly ChartPlan[] = [
  {
    title: 'Events per second',
    kind: 'line',
    floor: 4,
    lines: [
      { figure: FIGURES.deliveredPerSecond, label: 'delivered' },
      { figure: FIGURES.publishedPerSecond, label: 'published' },
    ],
  },
  {
    title: 'Bytes per second',
    kind: 'line',
    floor: 1000,
    lines: [{ figure: FIGURES.bytesPerSecond, label: 'sent' }],
  },
  {
    title: 'Connections',
    kind: 'steps',
    floor: 4,
    whole: true,
    lines: [
      { figure: FIGURES.connections, label: 'streams' },
      { figure: FIGURES.usersOnline, label: 'users' },
    ],
  },
  {
    title: 'Delivery lag',
    kind: 'line',
    floor: 2,
    lines: [
      { figure: FIGURES.lagP50, label: 'p50' },
      { figure: FIGURES.lagP99, label: 'p99' },
    ],
  },
  {
    title: 'Event-loop delay',
    kind: 'line',
    floor: 10,
    lines: [
      { figure: FIGURES.loopDelayP50, label: 'p50' },
      { figure: FIGURES.loopDelayP99, label: 'p99' },
    ],
  },
  {
    title: 'Memory',
    kind: 'line',
    floor: 50 * MEGABYTE,
    lines: [
      { figure: FIGURES.rss, label: 'resident' },
      { figure: FIGURES.heapUsed, label: 'heap' },
    ],
  },
];
