import { TOPICS } from '../../shared/api.ts';
import type { PageName, PageViews } from '../../shared/api.ts';
import type { Clock } from '../lib/clock.ts';
import type { Database } from '../database/schema.ts';
import type { Outbox } from '../events/outbox.ts';
import type { Logger } from '../ops/logger.ts';
import { inTurns } from '../lib/in-turns.ts';
import { createQueue } from '../lib/queue.ts';
import { addPageViews, sumPageViews, topPages } from './page-totals.ts';

/** How often each page was loaded. */
export interface PageViewCounter {
  /** Counts a load of a page, once for each `viewId`. It is in the database a moment later, see `GATHER`. */
  record(page: PageName, viewId: string): void;
  /** Page views of all time that are in the database. */
  total(): number;
  /** The views of the last so many minutes. */
  read(minutes: number): Promise<Omit<PageViews, 'cursor'>>;
  /** Learns of views that another process has counted. */
  recount(): Promise<void>;
  /** Forgets the ids of views, and minutes, that are old; they stay in the totals. */
  prune(): Promise<void>;
  /** Saves all views recorded so far. */
  flush(): Promise<void>;
}

export interface PageViewsOptions {
  readonly db: Database;
  readonly outbox: Outbox;
  readonly clock: Clock;
  readonly log: Logger;
  /** Called when `total` has changed. */
  readonly onCount: () => void;
  /** Distinct pages that get a row, see `addPageViews`. */
  readonly maxPages: number;
  /** Ids of views that are kept to recognise a page that reconnects. */
  readonly maxIds?: number;
}

interface View {
  page: PageName;
  id: string;
  at: number;
}

/**
 * Views are saved together, since each save waits for the disk. A process that is killed loses those of the last
 * quarter of a second; pages that are still open then count again when they reconnect, as their id is not known.
 */
const GATHER = 250;
const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
/** How long minutes are kept, and how long a page may stay open that reconnects without being counted again. */
const KEEP_MINUTES = 30 * DAY;
const KEEP_IDS = DAY;
/** Rows of one insert. Their pages, and as many that give way to them, fit one event with the longest names. */
const BATCH = 40;
/** Views that wait to be saved: beyond that the disk can't keep up, and more are not counted. */
const MAX_PENDING = 10_000;
/** Rows that are deleted in one turn. */
const DELETE_BATCH = 500;

export async function createPageViews(options: PageViewsOptions): Promise<PageViewCounter> {
  const { db, outbox, clock, log, maxPages, maxIds = 1_000_000, onCount } = options;
  let total = await sumPageViews(db);
  let ids = await countIds(db);
  const queue = createQueue({ maxWaiting: 1 });
  let pending: View[] = [];
  let uncounted = 0;
  let cancelTimer: (() => void) | undefined;

  async function saveBatch(views: readonly View[]): Promise<void> {
    const added = await outbox.commit(async (transaction, tell) => {
      const fresh = await rememberIds(transaction, views);
      if (fresh.length === 0) return undefined;
      const minutes = await addToMinutes(
        transaction,
        countBy(fresh, ({ at }) => startOfMinute(at)),
      );
      const byPage = countBy(fresh, ({ page }) => page);
      const pages = await addPageViews(transaction, byPage, { maxPages, at: clock.now() });
      // Other processes count, too.
      const now = await sumPageViews(transaction);
      tell({ topics: TOPICS.pageViews, type: 'pageviews:delta', data: { minutes, pages, total: now } });
      return { views: fresh.length, now };
    });
    if (added === undefined) return;
    total = added.now;
    ids += added.views;
    onCount();
  }

  function flush(): Promise<void> {
    cancelTimer?.();
    cancelTimer = undefined;
    return queue.runAnyway(async () => {
      const views = pending;
      pending = [];
      if (uncounted > 0) log.warn({ views: uncounted }, 'page views not counted: too many at once');
      uncounted = 0;
      for (let start = 0; start < views.length; start += BATCH) {
        try {
          await saveBatch(views.slice(start, start + BATCH));
        } catch (error) {
          log.error({ err: error }, 'page views not saved');
        }
      }
    });
  }

  /** Deletes a batch of ids that are too old, or too many. @returns how many */
  async function pruneIds(): Promise<number> {
    const oldest = db.selectFrom('counted_views').select('id').orderBy('at').limit(DELETE_BATCH);
    const gone = ids > maxIds ? oldest : oldest.where('at', '<', clock.now() - KEEP_IDS);
    const deleted = await db.deleteFrom('counted_views').where('id', 'in', gone).executeTakeFirstOrThrow();
    ids -= Number(deleted.numDeletedRows);
    return Number(deleted.numDeletedRows);
  }

  async function pruneMinutes(): Promise<number> {
    const old = db
      .selectFrom('page_view_minutes')
      .select('at')
      .where('at', '<', clock.now() - KEEP_MINUTES);
    const deleted = await db
      .deleteFrom('page_view_minutes')
      .where('at', 'in', old.limit(DELETE_BATCH))
      .executeTakeFirstOrThrow();
    return Number(deleted.numDeletedRows);
  }

  return {
    total: () => total,
    flush,
    record(page, viewId) {
      if (pending.length >= MAX_PENDING) {
        uncounted += 1;
        return;
      }
      pending.push({ page, id: viewId, at: clock.now() });
      cancelTimer ??= clock.setTimer(() => void flush(), GATHER);
    },

    async read(minutes) {
      const last = startOfMinute(clock.now());
      const first = last - (minutes - 1) * MINUTE;
      const counts = await readMinutes(db, first);
      return {
        minutes: Array.from({ length: minutes }, (_, i) => {
          const at = first + i * MINUTE;
          return { at, views: counts.get(at) ?? 0 };
        }),
        pages: await topPages(db),
        total,
      };
    },

    async recount() {
      const now = await sumPageViews(db);
      if (now === total) return;
      total = now;
      onCount();
    },

    async prune() {
      await inTurns(pruneIds);
      await inTurns(pruneMinutes);
    },
  };
}

function startOfMinute(at: number): number {
  return at - (at % MINUTE);
}

function countBy<Key>(views: readonly View[], keyOf: (view: View) => Key): Map<Key, number> {
  const counts = new Map<Key, number>();
  for (const view of views) counts.set(keyOf(view), (counts.get(keyOf(view)) ?? 0) + 1);
  return counts;
}

/** @returns the views that were not counted before */
async function rememberIds(db: Database, views: readonly View[]): Promise<View[]> {
  const byId = new Map(views.map((view) => [view.id, view]));
  const saved = await db
    .insertInto('counted_views')
    .values(Array.from(byId.values(), ({ id, at }) => ({ id, at })))
    .onConflict((conflict) => conflict.column('id').doNothing())
    .returning('id')
    .execute();
  return saved.flatMap(({ id }) => byId.get(id) ?? []);
}

/** @returns the minutes with their counts now */
async function addToMinutes(
  db: Database,
  added: ReadonlyMap<number, number>,
): Promise<{ at: number; views: number }[]> {
  return db
    .insertInto('page_view_minutes')
    .values(Array.from(added, ([at, views]) => ({ at, views })))
    .onConflict((conflict) =>
      conflict
        .column('at')
        .doUpdateSet((eb) => ({ views: eb('page_view_minutes.views', '+', eb.ref('excluded.views')) })),
    )
    .returning(['at', 'views'])
    .execute();
}

/** Views by the start of their minute. */
async function readMinutes(db: Database, since: number): Promise<Map<number, number>> {
  const rows = await db.selectFrom('page_view_minutes').selectAll().where('at', '>=', since).execute();
  return new Map(rows.map(({ at, views }) => [at, views]));
}

async function countIds(db: Database): Promise<number> {
  const { ids } = await db
    .selectFrom('counted_views')
    .select(({ fn }) => fn.countAll<number>().as('ids'))
    .executeTakeFirstOrThrow();
  return Number(ids);
}
