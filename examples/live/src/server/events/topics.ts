import type { Matcher } from 'tidings';
import { ANY_PAGE, PAGE_PREFIX } from '../../shared/api.ts';
import type { PageName } from '../../shared/api.ts';

export const EACH_PAGE: Matcher = { pattern: `${PAGE_PREFIX}*` };

/** Whether a connection has this topic only to be counted. */
export function isForCounting(topic: Matcher): boolean {
  return topic === ANY_PAGE || pagesOf([topic]).length > 0;
}

/** The pages that a connection with these topics shows: those of all tabs that share it. */
export function pagesOf(topics: readonly Matcher[]): PageName[] {
  return topics.flatMap((topic) =>
    typeof topic === 'string' && topic.startsWith(PAGE_PREFIX) ? topic.slice(PAGE_PREFIX.length) : [],
  );
}
