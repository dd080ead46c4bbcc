import type { Hub } from 'tidings';
import { TOPICS } from '../../shared/api.ts';
import type { DashboardSnapshot, Metrics } from '../../shared/api.ts';
import { createVersions } from '../clock.ts';
import type { Clock } from '../clock.ts';
import type { Announce } from '../events/announce.ts';
import { createHistory, metricNames } from './history.ts';
import type { Sampler } from './sampler.ts';

/** Samples once for all who watch, and tells them what has changed. */
export interface Dashboard {
  /** To be called once an `interval`. Does nothing while nobody watches. */
  tick(): Promise<void>;
  /** For who has just come: taken anew if nobody watched before. */
  snapshot(): DashboardSnapshot;
}

export interface DashboardOptions {
  readonly hub: Pick<Hub, 'watchers'>;
  readonly sampler: Sampler;
  readonly announce: Announce;
  readonly clock: Clock;
  /** Milliseconds between two calls of `tick`. */
  readonly interval: number;
  readonly startedAt: number;
}

const HISTORY_SPAN = 5 * 60_000;

interface Sample {
  at: number;
  version: number;
  metrics: Metrics;
}

export function createDashboard(options: DashboardOptions): Dashboard {
  const { hub, sampler, announce, clock, interval, startedAt } = options;
  const nextVersion = createVersions(clock);
  const history = createHistory(HISTORY_SPAN);
  /** The newest sample, while somebody watches. */
  let latest: Sample | undefined;

  function takeSample(): Sample {
    const at = clock.now();
    latest = { at, version: nextVersion(), metrics: sampler.sample() };
    history.add(at, latest.metrics);
    return latest;
  }

  function pause(): void {
    if (latest === undefined) return;
    history.add(clock.now(), undefined);
    sampler.pause();
    latest = undefined;
  }

  return {
    async tick() {
      if (hub.watchers(TOPICS.dashboard) === 0) {
        pause();
        return;
      }
      const previous = latest;
      const { at, version, metrics } = takeSample();
      const changed = changes(previous?.metrics, metrics);
      if (Object.keys(changed).length === 0) return;
      await announce({
        topics: TOPICS.dashboard,
        type: 'dashboard:delta',
        data: { version, at, metrics: changed },
      });
    },

    snapshot() {
      const { at, version, metrics } = latest ?? takeSample();
      return { version, at, startedAt, interval, metrics, history: history.columns() };
    },
  };
}

function changes(before: Metrics | undefined, now: Metrics): Partial<Metrics> {
  const changed: Partial<Metrics> = {};
  for (const name of metricNames) {
    if (before?.[name] !== now[name]) changed[name] = now[name];
  }
  return changed;
}
