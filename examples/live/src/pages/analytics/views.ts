import type { PageTotal, PageViews, PageViewsDelta } from '../../shared/api.ts';

export const MINUTE = 60_000;
/** Minutes that the chart looks back. */
export const SHOWN_MINUTES = 60;
/** Rows of the list of pages. */
const SHOWN_PAGES = 10;

/** Page views as the page has them; minutes without an entry had none. */
export interface ViewsState {
  readonly minutes: ReadonlyMap<number, number>;
  readonly pages: readonly PageTotal[];
  readonly total: number;
}

export function viewsOf(answer: PageViews): ViewsState {
  return {
    minutes: new Map(answer.minutes.filter(({ views }) => views > 0).map(({ at, views }) => [at, views])),
    pages: mostViewed(answer.pages),
    total: answer.total,
  };
}

/** A delta has the new totals, so applying one again changes nothing. */
export function applyViews(have: ViewsState, delta: PageViewsDelta): ViewsState {
  const minutes = new Map(have.minutes);
  for (const { at, views } of delta.minutes) minutes.set(at, views);
  const newest = Math.max(...minutes.keys());
  for (const at of minutes.keys()) if (at <= newest - SHOWN_MINUTES * MINUTE) minutes.delete(at);
  const pages = new Map(have.pages.map((entry) => [entry.page, entry]));
  for (const entry of delta.pages) pages.set(entry.page, entry);
  return { minutes, pages: mostViewed([...pages.values()]), total: delta.total };
}

/** The last minutes up to the running one, oldest first, each with its count. */
export function lastMinutes(state: ViewsState, now: number): { at: number; views: number }[] {
  const running = Math.floor(now / MINUTE) * MINUTE;
  return Array.from({ length: SHOWN_MINUTES }, (_, index) => {
    const at = running - (SHOWN_MINUTES - 1 - index) * MINUTE;
    return { at, views: state.minutes.get(at) ?? 0 };
  });
}

function mostViewed(pages: readonly PageTotal[]): PageTotal[] {
  return pages
    .filter(({ total }) => total > 0)
    .toSorted((left, right) => right.total - left.total || left.page.localeCompare(right.page))
    .slice(0, SHOWN_PAGES);
}
