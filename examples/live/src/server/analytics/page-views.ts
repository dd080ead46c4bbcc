import { TOPICS } from '../../shared/api.ts';
import type { PageName, PageTotal, PageViews } from '../../shared/api.ts';
import type { Clock } from '../lib/clock.ts';
import type { Database } from '../database/schema.ts';
import type { Outbox } from '../events/outbox.ts';
import type { Logger } from '../ops/logger.ts';
import { createQueue } from '../lib/queue.ts';
import { OTHER } from './page-name.ts';

/** How often each page was loaded. */
export interface PageViewCounter {
  /** Counts a load of a page, once for each `viewId`. It is in the database a moment later, see `GATHER`. */
  record(page: PageName, viewId: string): void;
  /** Page views of all time that are in the database. */
  total(): number;
  /** What happened in the last so many minutes. */
  read(minutes: number): Promise<Omit<PageViews, 'cursor'>>;
  /** Forgets when old views were; they stay in the totals. */
  prune(): Promise<void>;
  /** Saves what has been recorded so far. */
  flush(): Promise<void>;
}

export interface PageViewsOptions {
  readonly db: Database;
  readonly outbox: Outbox;
  readonly clock: Clock;
  readonly log: Logger;
  /** Called when `total` has changed. */
  readonly onCount: () => void;
  /** Distinct pages that get a row; views of further ones are counted together. */
  readonly maxPages: number;
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
const KEEP = 30 * 24 * 60 * MINUTE;
const TOP_PAGES = 50;
/** Rows of one insert, well below the number of parameters a database takes; told of in one event. */
const BATCH = 100;

export async function createPageViews(options: PageViewsOptions): Promise<PageViewCounter> {
  const { db, outbox, clock, log, maxPages, onCount } = options;
  const pageIds = new Map<PageName, number>();
  let total = 0;
  for (const row of await db.selectFrom('pages').selectAll().execute()) {
    pageIds.set(row.name, row.id);
    total += row.views;
  }
  const queue = createQueue();
  let pending: View[] = [];
  let cancelTimer: (() => void) | undefined;

  async function pageId(page: PageName): Promise<number> {
    const name = pageIds.has(page) || pageIds.size < maxPages ? page : OTHER;
    const known = pageIds.get(name);
    if (known !== undefined) return known;
    const { id } = await db
      .insertInto('pages')
      .values({ name, views: 0 })
      .returning('id')
      .executeTakeFirstOrThrow();
    pageIds.set(name, id);
    return id;
  }

  async function saveBatch(views: readonly View[]): Promise<void> {
    const rows: { id: string; page_id: number; at: number }[] = [];
    for (const { page, id, at } of views) rows.push({ id, page_id: await pageId(page), at });
    const added = await outbox.commit(async (transaction, tell) => {
      const { saved, pages } = await insert(transaction, rows);
      if (saved.length === 0) return 0;
      const minutes = [];
      for (const minute of new Set(saved.map(({ at }) => startOfMinute(at)))) {
        minutes.push({ at: minute, views: await countMinute(transaction, minute) });
      }
      const data = { minutes, pages, total: total + saved.length };
      tell({ topics: TOPICS.pageViews, type: 'pageviews:delta', data });
      return saved.length;
    });
    if (added === 0) return;
    total += added;
    onCount();
  }

  function flush(): Promise<void> {
    cancelTimer?.();
    cancelTimer = undefined;
    return queue.run(async () => {
      const views = pending;
      pending = [];
      for (let start = 0; start < views.length; start += BATCH) {
        try {
          await saveBatch(views.slice(start, start + BATCH));
        } catch (error) {
          log.error({ err: error }, 'page views not saved');
        }
      }
    });
  }

  return {
    total: () => total,
    flush,
    record(page, viewId) {
      pending.push({ page, id: viewId, at: clock.now() });
      cancelTimer ??= clock.setTimer(() => void flush(), GATHER);
    },

    async read(minutes) {
      const last = startOfMinute(clock.now());
      const first = last - (minutes - 1) * MINUTE;
      const counts = await countMinutes(db, first);
      return {
        minutes: Array.from({ length: minutes }, (_, i) => {
          const at = first + i * MINUTE;
          return { at, views: counts.get(at) ?? 0 };
        }),
        pages: await topPages(db),
        total,
      };
    },

    async prune() {
      await db
        .deleteFrom('page_views')
        .where('at', '<', clock.now() - KEEP)
        .execute();
    },
  };
}

function startOfMinute(at: number): number {
  return at - (at % MINUTE);
}

/** @returns which of the rows are new, and the totals of their pages */
async function insert(
  db: Database,
  rows: readonly { id: string; page_id: number; at: number }[],
): Promise<{ saved: { page_id: number; at: number }[]; pages: PageTotal[] }> {
  const saved = await db
    .insertInto('page_views')
    .values(rows)
    .onConflict((conflict) => conflict.column('id').doNothing())
    .returning(['page_id', 'at'])
    .execute();
  const added = new Map<number, number>();
  for (const { page_id: page } of saved) added.set(page, (added.get(page) ?? 0) + 1);
  const pages: PageTotal[] = [];
  for (const [id, views] of added) {
    const page = await db
      .updateTable('pages')
      .set((eb) => ({ views: eb('views', '+', views) }))
      .where('id', '=', id)
      .returning(['name as page', 'views as total'])
      .executeTakeFirstOrThrow();
    pages.push(page);
  }
  return { saved, pages };
}

async function countMinute(db: Database, minute: number): Promise<number> {
  const { views } = await db
    .selectFrom('page_views')
    .select(({ fn }) => fn.countAll<number>().as('views'))
    .where('at', '>=', minute)
    .where('at', '<', minute + MINUTE)
    .executeTakeFirstOrThrow();
  return Number(views);
}

/** Views by the start of their minute. */
async function countMinutes(db: Database, since: number): Promise<Map<number, number>> {
  const rows = await db
    .selectFrom('page_views')
    .select((eb) => [eb('at', '-', eb('at', '%', MINUTE)).as('minute'), eb.fn.countAll<number>().as('views')])
    .where('at', '>=', since)
    .groupBy('minute')
    .execute();
  return new Map(rows.map(({ minute, views }) => [Number(minute), Number(views)]));
}

function topPages(db: Database): Promise<PageTotal[]> {
  return db
    .selectFrom('pages')
    .select(['name as page', 'views as total'])
    .where('views', '>', 0)
    .orderBy('views', 'desc')
    .orderBy('name')
    .limit(TOP_PAGES)
    .execute();
}
