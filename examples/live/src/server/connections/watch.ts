import type { Hub, HubStats } from 'tidings';
import { TOPICS } from '../../shared/api.ts';
import type { ConnectionRow, ConnectionsSnapshot, HubFigures } from '../../shared/api.ts';
import { createVersions } from '../lib/clock.ts';
import type { Clock } from '../lib/clock.ts';
import type { Announce } from '../events/announce.ts';
import { toRow } from './rows.ts';

/** Shows the hub's registry to those who watch it. */
export interface ConnectionWatch {
  /** To be called once a second: tells what has changed since. Does nothing while nobody watches. */
  tick(): Promise<void>;
  /** For who has just come. */
  snapshot(): ConnectionsSnapshot;
}

export interface ConnectionWatchOptions {
  readonly hub: Pick<Hub, 'connections' | 'watchers' | 'stats'>;
  readonly announce: Announce;
  readonly clock: Clock;
}

/** Rows that are listed: a table of thousands helps nobody, and each change is sent to all who watch. */
const MAX_ROWS = 300;

export function createConnectionWatch({ hub, announce, clock }: ConnectionWatchOptions): ConnectionWatch {
  const nextVersion = createVersions(clock);
  /** What those who watch know: each row, and the rest, as JSON. */
  let told: { rows: Map<string, string>; rest: string } | undefined;

  function read(): { rows: ConnectionRow[]; total: number; hub: HubFigures } {
    const all = hub.connections();
    return { rows: all.slice(0, MAX_ROWS).map(toRow), total: all.length, hub: toFigures(hub.stats()) };
  }

  function remember({ rows, total, hub: figures }: ReturnType<typeof read>): typeof told & {} {
    told = {
      rows: new Map(rows.map((row) => [row.id, JSON.stringify(row)])),
      rest: JSON.stringify([total, figures]),
    };
    return told;
  }

  return {
    async tick() {
      if (hub.watchers(TOPICS.connections) === 0) {
        told = undefined;
        return;
      }
      const before = told;
      const { rows, ...rest } = read();
      const now = remember({ rows, ...rest });
      const upserted = rows.filter(({ id }) => before?.rows.get(id) !== now.rows.get(id));
      const removed = [...(before?.rows.keys() ?? [])].filter((id) => !now.rows.has(id));
      if (upserted.length === 0 && removed.length === 0 && now.rest === before?.rest) return;
      const data = { version: nextVersion(), at: clock.now(), upserted, removed, ...rest };
      await announce({ topics: TOPICS.connections, type: 'connections:delta', data });
    },

    snapshot() {
      const { rows, ...rest } = read();
      // Not for who watches already: they have yet to be told what changed since the last tick.
      if (told === undefined) remember({ rows, ...rest });
      return { version: nextVersion(), at: clock.now(), connections: rows, ...rest };
    },
  };
}

function toFigures({ behind, stalled, tail }: HubStats): HubFigures {
  return { behind, stalled, head: tail.head, tailEvents: tail.events, tailBytes: tail.bytes };
}
