import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { HubStats } from 'tidings';
import type { Metrics } from '../../shared/api.ts';
import type { Clock } from '../lib/clock.ts';

/** Reads the figures of this process and its hub. */
export interface Sampler {
  /** Rates and delays cover the time since the previous call; null at the first one. */
  sample(): Metrics;
  /** The figures that change one by one. */
  totals(): Pick<Metrics, 'posts' | 'pageViews'>;
  /** The people connected right now. */
  streams(): Pick<Metrics, 'connections' | 'usersOnline'>;
  /** Stops measuring the event loop. */
  close(): void;
}

export interface SamplerSources {
  readonly hub: { readonly stats: (options?: { readonly lagSince?: number }) => HubStats };
  readonly clock: Clock;
  /** Distinct users with an open event stream. */
  readonly usersOnline: () => number;
  /** Bytes of the snapshots that greeted connections: they are sent once to each, and don't count as traffic. */
  readonly greetedBytes: () => number;
  readonly posts: () => number;
  readonly pageViews: () => number;
}

/** Milliseconds between the timers by which Node measures the event loop. */
const RESOLUTION = 10;

export function createSampler(sources: SamplerSources): Sampler {
  const { hub, clock, usersOnline, greetedBytes, posts, pageViews } = sources;
  const loopDelay = monitorEventLoopDelay({ resolution: RESOLUTION });
  loopDelay.enable();
  let before:
    | { at: number; published: number; delivered: number; bytes: number; flushes: number }
    | undefined;

  const totals = (): Pick<Metrics, 'posts' | 'pageViews'> => ({ posts: posts(), pageViews: pageViews() });

  const streams = (): Pick<Metrics, 'connections' | 'usersOnline'> => ({
    connections: openStreams(hub.stats()),
    usersOnline: usersOnline(),
  });

  function loopDelayAt(percentile: number): number | null {
    if (loopDelay.count === 0) return null;
    // It records the time from timer to timer.
    return round(Math.max(0, loopDelay.percentile(percentile) / 1e6 - RESOLUTION), 1);
  }

  return {
    totals,
    streams,
    sample() {
      const at = clock.now();
      const { published, delivered, flushes, deliveryLag, ...stats } = hub.stats({
        lagSince: before?.flushes ?? 0,
      });
      const bytes = stats.bytes - greetedBytes();
      const isNew = flushes > (before?.flushes ?? 0);
      const seconds = before === undefined ? 0 : (at - before.at) / 1000;
      const rate = (now: number, then: number | undefined): number | null =>
        then === undefined || seconds <= 0 ? null : Math.max(0, Math.round((now - then) / seconds));
      const { rss, heapUsed } = process.memoryUsage();
      const metrics: Metrics = {
        connections: openStreams(stats),
        usersOnline: usersOnline(),
        publishedPerSecond: rate(published, before?.published),
        deliveredPerSecond: rate(delivered, before?.delivered),
        bytesPerSecond: rate(bytes, before?.bytes),
        lagP50: !isNew ? null : round(deliveryLag.p50, 2),
        lagP99: !isNew ? null : round(deliveryLag.p99, 2),
        loopDelayP50: loopDelayAt(50),
        loopDelayP99: loopDelayAt(99),
        // A chart needs no finer figures, which would change at every sample.
        rss: roundTo(rss, 65_536),
        heapUsed: roundTo(heapUsed, 65_536),
        ...totals(),
      };
      before = { at, published, delivered, bytes, flushes };
      loopDelay.reset();
      return metrics;
    },
    close: () => void loopDelay.disable(),
  };
}

/** Without those of this process itself. */
function openStreams({ connections, inProcess }: Pick<HubStats, 'connections' | 'inProcess'>): number {
  return connections - inProcess;
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

function roundTo(value: number, step: number): number {
  return Math.round(value / step) * step;
}
