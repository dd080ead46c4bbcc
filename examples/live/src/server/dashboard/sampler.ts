import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Hub } from 'tidings';
import type { Metrics } from '../../shared/api.ts';
import type { Clock } from '../lib/clock.ts';

/** Reads the figures of this process and its hub. */
export interface Sampler {
  /** Rates and delays are those since the call before; null at the first one after `pause`. */
  sample(): Metrics;
  /** Those that change one by one. */
  totals(): Pick<Metrics, 'posts' | 'pageViews'>;
  /** Stops what costs something while nobody samples. */
  pause(): void;
}

export interface SamplerSources {
  readonly hub: Pick<Hub, 'stats'>;
  readonly clock: Clock;
  /** Distinct users with an open event stream. */
  readonly usersOnline: () => number;
  readonly posts: () => number;
  readonly pageViews: () => number;
}

/** Milliseconds between the timers by which Node measures the event loop. */
const RESOLUTION = 10;

export function createSampler({ hub, clock, usersOnline, posts, pageViews }: SamplerSources): Sampler {
  const loopDelay = monitorEventLoopDelay({ resolution: RESOLUTION });
  let before: { at: number; published: number; delivered: number; bytes: number } | undefined;

  const totals = (): Pick<Metrics, 'posts' | 'pageViews'> => ({ posts: posts(), pageViews: pageViews() });

  function loopDelayAt(percentile: number): number | null {
    if (loopDelay.count === 0) return null;
    // What is recorded is the time from timer to timer.
    return round(Math.max(0, loopDelay.percentile(percentile) / 1e6 - RESOLUTION), 1);
  }

  return {
    totals,
    sample() {
      const at = clock.now();
      const { connections, published, delivered, bytes, flushes, deliveryLag } = hub.stats();
      const seconds = before === undefined ? 0 : (at - before.at) / 1000;
      const rate = (now: number, then: number | undefined): number | null =>
        then === undefined || seconds <= 0 ? null : Math.round((now - then) / seconds);
      const { rss, heapUsed } = process.memoryUsage();
      const metrics: Metrics = {
        connections,
        usersOnline: usersOnline(),
        publishedPerSecond: rate(published, before?.published),
        deliveredPerSecond: rate(delivered, before?.delivered),
        bytesPerSecond: rate(bytes, before?.bytes),
        lagP50: flushes === 0 ? null : round(deliveryLag.p50, 2),
        lagP99: flushes === 0 ? null : round(deliveryLag.p99, 2),
        loopDelayP50: loopDelayAt(50),
        loopDelayP99: loopDelayAt(99),
        // Finer than this nobody reads a chart, and it would change at every sample.
        rss: roundTo(rss, 65_536),
        heapUsed: roundTo(heapUsed, 65_536),
        ...totals(),
      };
      before = { at, published, delivered, bytes };
      loopDelay.enable();
      loopDelay.reset();
      return metrics;
    },
    pause() {
      loopDelay.disable();
      loopDelay.reset();
      before = undefined;
    },
  };
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

function roundTo(value: number, step: number): number {
  return Math.round(value / step) * step;
}
