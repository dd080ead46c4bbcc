import type { DashboardDelta, DashboardSnapshot, Metrics } from '../../shared/api.ts';
import { appendSample, mergeHistory, samplesOf, trimHistory } from '../lib/history.ts';
import type { Sample } from '../lib/history.ts';
import { isNews } from '../lib/versioned.ts';

/** The longest time the page can show. */
export const KEPT = 30 * 60_000;

/** The page's copy of the server's metrics. */
export interface MetricsState {
  readonly version: number;
  /** The process that they are of. */
  readonly node: string;
  readonly startedAt: number;
  readonly interval: number;
  readonly metrics: Metrics;
  readonly samples: readonly Sample[];
  /** How far the server's clock is ahead of this one, in ms. */
  readonly ahead: number;
}

/**
 * A snapshot replaces the figures; the page's own history stays in front of the snapshot's, unless that is another
 * process'.
 */
export function applySnapshot(
  have: MetricsState | undefined,
  told: DashboardSnapshot,
  now: number,
): MetricsState {
  const own = have?.node === told.node ? have.samples : [];
  const samples = mergeHistory(own, samplesOf(told.history), told.interval);
  return {
    version: told.version,
    node: told.node,
    startedAt: told.startedAt,
    interval: told.interval,
    metrics: told.metrics,
    samples: trimHistory(samples, told.at - KEPT),
    ahead: told.at - now,
  };
}

export function applyDelta(
  have: MetricsState | undefined,
  delta: DashboardDelta,
  now: number,
): MetricsState | undefined {
  if (have === undefined || delta.node !== have.node || !isNews(have, delta)) return have;
  const metrics = { ...have.metrics, ...delta.metrics };
  const samples = appendSample(have.samples, { at: delta.at, metrics }, have.interval);
  return {
    ...have,
    version: delta.version,
    metrics,
    samples: trimHistory(samples, delta.at - KEPT),
    // A snapshot describes a moment before it was sent; later deltas come closer to the server's clock.
    ahead: Math.max(have.ahead, delta.at - now),
  };
}
