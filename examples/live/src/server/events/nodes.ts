import type { ClusterStats, Hub, HubStats } from 'tidings';
import type { NodeFigures } from '../../shared/api.ts';

/** The processes that serve this app together: those on the same log. A process on a log of its own is the only one. */
export interface Nodes {
  /** Each with its figures as it reported them last, this one first. */
  figures(): NodeFigures[];
  /** Whether this process does what one of them does for all. For a moment, two may, or none. */
  leads(): boolean;
}

type Node = ClusterStats['nodes'][number];

interface Report {
  readonly at: number;
  readonly stats: Pick<HubStats, 'published' | 'delivered'>;
}

export function createNodes(hub: Pick<Hub, 'stats'>): Nodes {
  /** By node: the report before the last one, and the last one. */
  const reports = new Map<string, readonly [Report | undefined, Report]>();

  const list = (): readonly Node[] => hub.stats({ cluster: true }).nodes;

  /** Remembers a new report. @returns the last two. */
  function note({ id, renewedAt: at, stats }: Node): readonly [Report | undefined, Report] {
    const known = reports.get(id);
    if (known?.[1].at === at) return known;
    const pair = [known?.[1], { at, stats }] as const;
    reports.set(id, pair);
    return pair;
  }

  return {
    figures() {
      const nodes = list();
      for (const id of reports.keys()) if (!nodes.some((node) => node.id === id)) reports.delete(id);
      return nodes.map((node) => {
        const [before, last] = note(node);
        const seconds = before === undefined ? 0 : (last.at - before.at) / 1000;
        const rate = (name: keyof Report['stats']): number | null =>
          before === undefined || seconds <= 0
            ? null
            : Math.max(0, Math.round((last.stats[name] - before.stats[name]) / seconds));
        return {
          id: node.id,
          name: node.name ?? node.id,
          startedAt: node.startedAt,
          connections: node.stats.connections - node.stats.inProcess,
          publishedPerSecond: rate('published'),
          deliveredPerSecond: rate('delivered'),
        };
      });
    },
    leads() {
      const [own, ...others] = list();
      return own === undefined || others.every(({ id }) => own.id < id);
    },
  };
}
