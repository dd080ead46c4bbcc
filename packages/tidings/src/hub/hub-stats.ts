import { type Checks, aBoolean, aNumber } from '../protocol/options.ts';
import type { NodeInfo } from './cluster/nodes.ts';
import type { Core } from './core.ts';
import type { Tallies } from './tally.ts';

/** A hub's counters, as the other nodes know them too. */
export interface NodeStats {
  /** Now. */
  readonly connections: number;
  readonly live: number;
  readonly behind: number;
  /** How many of the connections are `subscribe` loops of this process. */
  readonly inProcess: number;
  /** Distinct topics and patterns that connections ask for. */
  readonly topics: number;
  /** Since the hub was made. */
  readonly connected: number;
  readonly published: number;
  /** Events handed to a transport, counted once for each connection; and the bytes of all frames. */
  readonly delivered: number;
  readonly bytes: number;
  readonly flushes: number;
  /** Connections dropped because their peer stopped reading. */
  readonly stalled: number;
  /** Milliseconds from append to the last write of the flush, over the newest 1024 flushes. */
  readonly deliveryLag: { readonly p50: number; readonly p99: number };
  readonly tail: {
    readonly events: number;
    readonly bytes: number;
    readonly head: number;
    readonly epoch: string;
  };
}

export interface HubStats extends NodeStats, Tallies {
  /** How many of those behind are loops of this process: mostly because your code is busy with an event. */
  readonly inProcessBehind: number;
  readonly log: {
    /** The seqs from the oldest event that the log may still have to its newest. */
    readonly events: number;
    /** Whether other processes append to it as well. */
    readonly shared: boolean;
  };
}

export interface StatsOptions {
  readonly cluster?: boolean;
  /** `flushes` of earlier stats: `deliveryLag` is over those since, at most the newest 1024; 0 if there were none. */
  readonly lagSince?: number;
}

export const STATS_OPTIONS: Checks<StatsOptions> = {
  cluster: aBoolean,
  lagSince: aNumber({ min: 0, finite: true }),
};

/** The counters of all hubs on a log, and each hub's own. */
export interface ClusterStats extends Omit<NodeStats, 'topics' | 'deliveryLag' | 'tail'> {
  /** This hub first. */
  readonly nodes: readonly NodeInfo[];
}

export function statsOf(core: Core, lagSince?: number): HubStats {
  const { log } = core.options;
  let inProcessBehind = 0;
  for (const { phase } of core.locals) if (phase !== 'live') inProcessBehind += 1;
  return {
    ...nodeStatsOf(core, lagSince),
    inProcessBehind,
    ...core.tally.tallies,
    log: { events: Math.max(0, log.tail.head - log.floor), shared: log.shared },
  };
}

export function nodeStatsOf(core: Core, lagSince?: number): NodeStats {
  const { registry, locals, subscriptions, counters, fanOut, options } = core;
  const connections = registry.size + locals.size;
  let live = 0;
  for (const subscription of subscriptions.values()) live += subscription.live.size;
  const [p50 = 0, p99 = 0] = fanOut.lag.quantilesOf(
    lagSince === undefined ? Infinity : counters.flushes - lagSince,
    0.5,
    0.99,
  );
  const { tail } = options.log;
  return {
    ...counters,
    connections,
    live,
    behind: connections - live,
    inProcess: locals.size,
    topics: subscriptions.index.size,
    deliveryLag: { p50, p99 },
    tail: { events: tail.length, bytes: tail.bytes, head: tail.head, epoch: tail.epoch },
  };
}

export function clusterStatsOf(self: NodeInfo, others: readonly NodeInfo[]): ClusterStats {
  const nodes = [self, ...others];
  const sum = (name: keyof Omit<ClusterStats, 'nodes'>): number =>
    nodes.reduce((total, { stats }) => total + stats[name], 0);
  return {
    connections: sum('connections'),
    live: sum('live'),
    behind: sum('behind'),
    inProcess: sum('inProcess'),
    connected: sum('connected'),
    published: sum('published'),
    delivered: sum('delivered'),
    bytes: sum('bytes'),
    flushes: sum('flushes'),
    stalled: sum('stalled'),
    nodes,
  };
}
