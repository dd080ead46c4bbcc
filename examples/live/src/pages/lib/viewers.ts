import type { PageName, ViewersDelta, ViewersSnapshot } from '../../shared/api.ts';
import { isNews } from './versioned.ts';

/** Applies a delta: pages without viewers go, the most viewed come first. */
export function applyViewers(
  have: ViewersSnapshot | undefined,
  delta: ViewersDelta,
): ViewersSnapshot | undefined {
  if (have === undefined || !isNews(have, delta)) return have;
  const pages = new Map(have.pages.map(({ page, viewers }) => [page, viewers]));
  for (const { page, viewers } of delta.pages) pages.set(page, viewers);
  return {
    version: delta.version,
    people: delta.people,
    pages: [...pages]
      .filter(([, viewers]) => viewers > 0)
      .map(([page, viewers]) => ({ page, viewers }))
      .toSorted((left, right) => right.viewers - left.viewers || left.page.localeCompare(right.page)),
  };
}

export function viewersOf(have: ViewersSnapshot | undefined, page: PageName): number {
  return have?.pages.find((other) => other.page === page)?.viewers ?? 0;
}
