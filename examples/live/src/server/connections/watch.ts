import { createHash, randomBytes } from 'node:crypto';
import type { Hub, HubStats } from 'tidings';
import { TOPICS } from '../../shared/api.ts';
import type { ConnectionRow, ConnectionsSnapshot, HubFigures } from '../../shared/api.ts';
import { createVersions } from '../lib/clock.ts';
import type { Clock } from '../lib/clock.ts';
import { inParts } from '../lib/in-parts.ts';
import type { Announce } from '../events/announce.ts';
import { createInterest } from '../events/interest.ts';
import { toRow } from './rows.ts';

/** Shows the hub's registry to watching pages. */
export interface ConnectionWatch {
  /** Call it once a second: publishes the changes since the last call. Does nothing if no page watches. */
  tick(): Promise<void>;
  /** A browser's connection begins. @returns a function to call once it is over */
  add(connection: string, visitor: string): () => void;
  /** The snapshot for a page of this visitor's browser that starts watching. */
  snapshot(visitor: string): ConnectionsSnapshot;
}

export interface ConnectionWatchOptions {
  readonly hub: Pick<Hub, 'connections' | 'watchers' | 'presence'> & { readonly stats: () => HubStats };
  readonly announce: Announce;
  /** This process, among others that serve the app. */
  readonly node: string;
  readonly clock: Clock;
}

/** The most rows to list: a table of thousands helps no one, and each change goes to all watching pages. */
const MAX_ROWS = 300;
/** Rows of one event: when the hub is busy, all of them change at once, and an event has a maximum length. */
const ROWS_PER_EVENT = 100;
/** Listing all connections takes time, however few are shown: many visitors at once share one list. */
const LIST_FOR = 1000;
/** Characters: enough to tell a few hundred browsers apart. */
const MARK_LENGTH = 10;

interface List {
  readonly rows: ConnectionRow[];
  readonly total: number;
  readonly hub: HubFigures;
}

export function createConnectionWatch({
  hub,
  announce,
  node,
  clock,
}: ConnectionWatchOptions): ConnectionWatch {
  const nextVersion = createVersions(clock);
  const interest = createInterest(hub, TOPICS.connections, clock);
  const salt = randomBytes(16);
  /** By connection, the mark of its browser: pages of one browser share connections, and find theirs by it. */
  const marks = new Map<string, string>();
  /** The state that watching pages have: each row, and the rest, as JSON. */
  let told: { rows: Map<string, string>; rest: string } | undefined;
  /** The last list, and when it was read. */
  let listed: { at: number; list: List } | undefined;

  /** Tells browsers apart for as long as this process lives, and says nothing of who they are. */
  const markOf = (visitor: string): string =>
    createHash('sha256').update(salt).update(visitor).digest('base64url').slice(0, MARK_LENGTH);

  function read(): List {
    const all = hub.connections();
    const rows = all
      .slice(0, MAX_ROWS)
      .map((connection) => ({ ...toRow(connection), browser: marks.get(connection.id) ?? null }));
    const list = { rows, total: all.length, hub: toFigures(hub.stats()) };
    listed = { at: clock.now(), list };
    return list;
  }

  function readLately(): List {
    return listed !== undefined && Math.abs(clock.now() - listed.at) < LIST_FOR ? listed.list : read();
  }

  function remember({ rows, total, hub: figures }: List): typeof told & {} {
    told = {
      rows: new Map(rows.map((row) => [row.id, JSON.stringify(row)])),
      rest: JSON.stringify([total, figures]),
    };
    return told;
  }

  return {
    async tick() {
      if (!interest.lasts()) {
        told = undefined;
        return;
      }
      const before = told;
      const { rows, ...rest } = read();
      const now = remember({ rows, ...rest });
      const upserted = rows.filter(({ id }) => before?.rows.get(id) !== now.rows.get(id));
      const removed = [...(before?.rows.keys() ?? [])].filter((id) => !now.rows.has(id));
      if (upserted.length === 0 && removed.length === 0 && now.rest === before?.rest) return;
      const at = clock.now();
      await announce(
        ...inParts(upserted, ROWS_PER_EVENT).map((part, i) => ({
          topics: TOPICS.connections,
          type: 'connections:delta' as const,
          data: {
            version: nextVersion(),
            node,
            at,
            upserted: part,
            removed: i === 0 ? removed : [],
            ...rest,
          },
        })),
      );
    },

    add(connection, visitor) {
      marks.set(connection, markOf(visitor));
      return () => void marks.delete(connection);
    },

    snapshot(visitor) {
      interest.show();
      const { rows, ...rest } = readLately();
      // Not for pages that watch already: they still need the changes since the last tick.
      if (told === undefined) remember({ rows, ...rest });
      return {
        version: nextVersion(),
        node,
        at: clock.now(),
        own: markOf(visitor),
        connections: rows,
        ...rest,
      };
    },
  };
}

function toFigures({ behind, stalled, tail }: HubStats): HubFigures {
  return { behind, stalled, head: tail.head, tailEvents: tail.events, tailBytes: tail.bytes };
}
