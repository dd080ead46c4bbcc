import type { Hub } from 'tidings';
import { TOPICS } from '../../shared/api.ts';
import type { DashboardSnapshot, MetricName, Metrics } from '../../shared/api.ts';
import { createVersions } from '../lib/clock.ts';
import type { Clock } from '../lib/clock.ts';
import type { Announce, Announcement } from '../events/announce.ts';
import { createHistory } from './history.ts';
import type { Sampler } from './sampler.ts';

/** Samples once for all who watch, and tells them what has changed. */
export interface Dashboard {
  /** To be called once an `interval`. Does nothing while nobody watches. */
  tick(): Promise<void>;
  /** To be called when one of the `totals` has changed, however often that is. */
  tellTotals(): Promise<void>;
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

/** Figures that change together are told together: each group is one key of the topic, which is a state. */
const GROUPS = {
  streams: ['connections', 'usersOnline'],
  traffic: ['publishedPerSecond', 'deliveredPerSecond', 'bytesPerSecond'],
  delays: ['lagP50', 'lagP99', 'loopDelayP50', 'loopDelayP99'],
  memory: ['rss', 'heapUsed'],
  totals: ['posts', 'pageViews'],
} as const satisfies Record<string, readonly MetricName[]>;

type Group = keyof typeof GROUPS;
const groups = Object.keys(GROUPS) as Group[];

export function createDashboard(options: DashboardOptions): Dashboard {
  const { hub, sampler, announce, clock, interval, startedAt } = options;
  const nextVersion = createVersions(clock);
  const history = createHistory(HISTORY_SPAN);
  /** What those who watch know; undefined while nobody does. */
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

  function toDelta(group: Group, at: number, metrics: Metrics): Announcement {
    const changed = Object.fromEntries(GROUPS[group].map((name) => [name, metrics[name]]));
    const data = { version: nextVersion(), at, metrics: changed };
    return { topics: TOPICS.dashboard, type: 'dashboard:delta', key: group, data };
  }

  return {
    async tick() {
      if (hub.watchers(TOPICS.dashboard) === 0) {
        pause();
        return;
      }
      const before = latest?.metrics;
      const { at, metrics } = takeSample();
      const changed = groups.filter((group) =>
        GROUPS[group].some((name) => before?.[name] !== metrics[name]),
      );
      if (changed.length > 0) await announce(...changed.map((group) => toDelta(group, at, metrics)));
    },

    async tellTotals() {
      if (latest === undefined) return;
      latest.metrics = { ...latest.metrics, ...sampler.totals() };
      await announce(toDelta('totals', clock.now(), latest.metrics));
    },

    snapshot() {
      const { at, version, metrics } = latest ?? takeSample();
      return { version, at, startedAt, interval, metrics, history: history.columns() };
    },
  };
}
