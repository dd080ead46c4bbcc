import { PAGES } from '../../shared/api.ts';
import type { PageName, PageTotal } from '../../shared/api.ts';
import type { Database } from '../database/schema.ts';
import { OTHER } from './page-name.ts';
import { rankAfter } from './rank.ts';

/** This app's own pages, and the sum of dropped pages, always keep their rows. */
const KEPT: readonly PageName[] = [...Object.keys(PAGES), OTHER];
const TOP_PAGES = 50;

/**
 * Adds views to the totals of their pages. Anybody may make up names, so there is room for `maxPages` of them: a new
 * page replaces the one that was viewed least of late, whose views then count as those of {@link OTHER}.
 *
 * @returns the pages that changed, with their new totals; 0 for a dropped page
 */
export async function addPageViews(
  db: Database,
  added: ReadonlyMap<PageName, number>,
  { maxPages, at }: { maxPages: number; at: number },
): Promise<PageTotal[]> {
  const known = await db
    .selectFrom('pages')
    .select(['name', 'views', 'rank'])
    .where('name', 'in', [...added.keys()])
    .execute();
  const before = new Map(known.map((row) => [row.name, row]));
  const rows = Array.from(added, ([name, views]) => {
    const row = before.get(name);
    return { name, views: (row?.views ?? 0) + views, rank: rankAfter(row?.rank, views, at) };
  });
  await save(db, rows);

  const changed = new Map(rows.map(({ name, views }) => [name, views]));
  const surplus = await takeSurplus(db, maxPages);
  for (const { name } of surplus) changed.set(name, 0);
  const views = surplus.reduce((sum, page) => sum + page.views, 0);
  if (views > 0) changed.set(OTHER, await addToOther(db, views));
  return Array.from(changed, ([page, total]) => ({ page, total }));
}

/** All at once: statement by statement, forty pages would be a long turn of the event loop. */
async function save(
  db: Database,
  rows: readonly { name: PageName; views: number; rank: number }[],
): Promise<void> {
  await db
    .insertInto('pages')
    .values(rows)
    .onConflict((conflict) =>
      conflict.column('name').doUpdateSet((eb) => ({
        views: eb.ref('excluded.views'),
        rank: eb.ref('excluded.rank'),
      })),
    )
    .execute();
}

/** @returns the views counted there now */
async function addToOther(db: Database, views: number): Promise<number> {
  const row = await db
    .insertInto('pages')
    .values({ name: OTHER, views })
    .onConflict((conflict) =>
      conflict.column('name').doUpdateSet((eb) => ({ views: eb('pages.views', '+', views) })),
    )
    .returning('views')
    .executeTakeFirstOrThrow();
  return row.views;
}

/** Deletes the pages beyond the maximum. */
async function takeSurplus(db: Database, maxPages: number): Promise<{ name: PageName; views: number }[]> {
  const { pages } = await db
    .selectFrom('pages')
    .select(({ fn }) => fn.countAll<number>().as('pages'))
    .executeTakeFirstOrThrow();
  if (Number(pages) <= maxPages) return [];
  const surplus = await db
    .selectFrom('pages')
    .select('id')
    .where('name', 'not in', KEPT)
    .orderBy('rank')
    .limit(Number(pages) - maxPages)
    .execute();
  if (surplus.length === 0) return [];
  const ids = surplus.map(({ id }) => id);
  return db.deleteFrom('pages').where('id', 'in', ids).returning(['name', 'views']).execute();
}

/** Of all time, most viewed first. */
export function topPages(db: Database): Promise<PageTotal[]> {
  return db
    .selectFrom('pages')
    .select(['name as page', 'views as total'])
    .where('views', '>', 0)
    .orderBy('views', 'desc')
    .orderBy('name')
    .limit(TOP_PAGES)
    .execute();
}

/** Page views of all time. */
export async function sumPageViews(db: Database): Promise<number> {
  const { total } = await db
    .selectFrom('pages')
    .select(({ fn }) => fn.sum<number | null>('views').as('total'))
    .executeTakeFirstOrThrow();
  return Number(total ?? 0);
}
