import type { Hub } from 'tidings';
import { TOPICS } from '../../shared/api.ts';
import type { ConnectionRow, ConnectionsSnapshot } from '../../shared/api.ts';
import { createVersions } from '../clock.ts';
import type { Clock } from '../clock.ts';
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
  readonly hub: Pick<Hub, 'connections' | 'watchers'>;
  readonly announce: Announce;
  readonly clock: Clock;
}

/** Rows that are listed: a table of thousands helps nobody, and each change is sent to all who watch. */
const MAX_ROWS = 300;

export function createConnectionWatch({ hub, announce, clock }: ConnectionWatchOptions): ConnectionWatch {
  const nextVersion = createVersions(clock);
  /** What those who watch know: each row as JSON. */
  let told: Map<string, string> | undefined;
  let toldTotal = 0;

  function read(): { rows: ConnectionRow[]; total: number } {
    const all = hub.connections();
    return { rows: all.slice(0, MAX_ROWS).map(toRow), total: all.length };
  }

  function remember(rows: readonly ConnectionRow[], total: number): void {
    told = new Map(rows.map((row) => [row.id, JSON.stringify(row)]));
    toldTotal = total;
  }

  return {
    async tick() {
      if (hub.watchers(TOPICS.connections) === 0) {
        told = undefined;
        return;
      }
      const { rows, total } = read();
      const before = told ?? new Map<string, string>();
      const totalBefore = toldTotal;
      remember(rows, total);
      const upserted = rows.filter((row) => before.get(row.id) !== told?.get(row.id));
      const removed = [...before.keys()].filter((id) => told?.has(id) !== true);
      if (upserted.length === 0 && removed.length === 0 && total === totalBefore) return;
      const data = { version: nextVersion(), at: clock.now(), upserted, removed, total };
      await announce({ topics: TOPICS.connections, type: 'connections:delta', data });
    },

    snapshot() {
      const { rows, total } = read();
      // Not for who watches already: they have yet to be told what changed since the last tick.
      if (told === undefined) remember(rows, total);
      return { version: nextVersion(), at: clock.now(), connections: rows, total };
    },
  };
}
