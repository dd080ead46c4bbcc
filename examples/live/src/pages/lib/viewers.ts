import type { PageName, ViewersDelta, ViewersSnapshot } from '../../shared/api.ts';

/**
 * Applies a delta: pages without viewers go, the most viewed come first. Its version says up to where of the log it counts:
 * an older one is in the snapshot already, and one of the same version may say more.
 */
export function applyViewers(
  have: ViewersSnapshot | undefined,
  delta: ViewersDelta,
): ViewersSnapshot | undefined {
  if (have === undefined || delta.version < have.version) return have;
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
