import type { Hub } from 'tidings';
import { TOPICS } from '../../shared/api.ts';
import type { DashboardSnapshot, MetricName, Metrics } from '../../shared/api.ts';
import { createVersions } from '../lib/clock.ts';
import type { Clock } from '../lib/clock.ts';
import type { Announce, Announcement } from '../events/announce.ts';
import { createInterest } from '../events/interest.ts';
import type { Nodes } from '../events/nodes.ts';
import { createHistory } from './history.ts';
import type { Sampler } from './sampler.ts';

/** Samples once for all pages, watched or not, and publishes changes to those that watch. */
export interface Dashboard {
  /** Call it once an `interval`. */
  tick(): Promise<void>;
  /** Call it whenever one of the `totals` has changed. */
  tellTotals(): Promise<void>;
  /** For a page that has just connected. */
  snapshot(): DashboardSnapshot;
}

export interface DashboardOptions {
  readonly hub: Pick<Hub, 'watchers' | 'presence'>;
  readonly sampler: Sampler;
  readonly announce: Announce;
  /** This process, and all that serve the app. */
  readonly node: string;
  readonly nodes: Pick<Nodes, 'figures'>;
  readonly clock: Clock;
  /** Milliseconds between two calls of `tick`. */
  readonly interval: number;
  readonly startedAt: number;
}

const MINUTE = 60_000;
/** Half an hour, the most that pages show, in some 450 rows. */
const KEPT = { span: 30 * MINUTE, fine: 5 * MINUTE, step: 10_000 };
/** Samples more than this many intervals apart have a gap between them. */
const GAP_INTERVALS = 3;

interface Sample {
  at: number;
  version: number;
  metrics: Metrics;
}

/** Figures that change together are published together: each group is one key of the topic, which is a state. */
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
  const { hub, sampler, announce, node, nodes, clock, interval, startedAt } = options;
  const nextVersion = createVersions(clock);
  const history = createHistory({ ...KEPT, gap: GAP_INTERVALS * interval });
  /** The figures that watching pages have. */
  let latest: Sample | undefined;
  /** A page was greeted with a number of streams that the others don't have. */
  let greeted = false;
  /** The nodes that they have, as JSON. */
  let toldNodes = '';

  function takeSample(): Sample {
    const at = clock.now();
    latest = { at, version: nextVersion(), metrics: sampler.sample() };
    history.add(at, latest.metrics);
    return latest;
  }

  const interest = createInterest(hub, TOPICS.dashboard, clock);

  function toDelta(group: Group, at: number, metrics: Metrics): Announcement {
    const changed = Object.fromEntries(GROUPS[group].map((name) => [name, metrics[name]]));
    // Figures first: people read the payload on the home page.
    const data = { metrics: changed, node, at, version: nextVersion() };
    return { topics: TOPICS.dashboard, type: 'dashboard:delta', key: `${node} ${group}`, data };
  }

  /** The list of nodes, if it has changed since the last call. */
  function nodesDelta(): Announcement[] {
    const data = { node, nodes: nodes.figures() };
    const text = JSON.stringify(data);
    if (text === toldNodes) return [];
    toldNodes = text;
    return [{ topics: TOPICS.dashboard, type: 'dashboard:nodes', key: `${node} nodes`, data }];
  }

  return {
    async tick() {
      const before = latest?.metrics;
      const { at, metrics } = takeSample();
      if (!interest.lasts()) return;
      const changed = groups.filter(
        (group) =>
          (group === 'streams' && greeted) || GROUPS[group].some((name) => before?.[name] !== metrics[name]),
      );
      greeted = false;
      const deltas = [...changed.map((group) => toDelta(group, at, metrics)), ...nodesDelta()];
      if (deltas.length > 0) await announce(...deltas);
    },

    async tellTotals() {
      if (latest === undefined) return;
      latest.metrics = { ...latest.metrics, ...sampler.totals() };
      if (!interest.lasts()) return;
      await announce(toDelta('totals', clock.now(), latest.metrics));
    },

    snapshot() {
      interest.show();
      const { at, version, metrics } = latest ?? takeSample();
      // The page itself has come since the last sample.
      const now = { ...metrics, ...sampler.streams() };
      greeted ||= GROUPS.streams.some((name) => now[name] !== metrics[name]);
      const of = { node, nodes: nodes.figures() };
      return { ...of, version, at, startedAt, interval, metrics: now, history: history.columns() };
    },
  };
}
