import { PAGES } from '../../shared/api.ts';
import type { PageName, PageTotal } from '../../shared/api.ts';
import type { Database } from '../database/schema.ts';
import { OTHER } from './page-name.ts';
import { rankAfter } from './rank.ts';

/** This app's own pages, and the sum of those that were given up, keep their rows. */
const KEPT: readonly PageName[] = [...Object.keys(PAGES), OTHER];
const TOP_PAGES = 50;

/**
 * Adds views to the totals of their pages. Anybody may make up names, so there is room for `maxPages` of them: a new
 * page takes the place of the one that is viewed least of late, whose views are then counted as those of {@link OTHER}.
 *
 * @returns the pages that changed, with their totals now; 0 for one that was given up
 */
export async function addPageViews(
  db: Database,
  added: ReadonlyMap<PageName, number>,
  { maxPages, at }: { maxPages: number; at: number },
): Promise<PageTotal[]> {
  const changed = new Map<PageName, number>();

  async function add(name: PageName, views: number, isNewView: boolean): Promise<void> {
    const known = await db
      .selectFrom('pages')
      .select(['views', 'rank'])
      .where('name', '=', name)
      .executeTakeFirst();
    const row = {
      views: (known?.views ?? 0) + views,
      rank: isNewView ? rankAfter(known?.rank, views, at) : (known?.rank ?? 0),
    };
    await db
      .insertInto('pages')
      .values({ name, ...row })
      .onConflict((conflict) => conflict.column('name').doUpdateSet(row))
      .execute();
    changed.set(name, row.views);
  }

  for (const [name, views] of added) await add(name, views, true);
  const surplus = await takeSurplus(db, maxPages);
  for (const { name } of surplus) changed.set(name, 0);
  const views = surplus.reduce((sum, page) => sum + page.views, 0);
  if (views > 0) await add(OTHER, views, false);
  return Array.from(changed, ([page, total]) => ({ page, total }));
}

/** Deletes the pages that are one too many. */
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
