import type { Matcher } from 'tidings';
import type { PageName } from '../../shared/api.ts';

/**
 * Connections that show a page are also subscribed to these two topics, by which the hub counts them. Nothing is
 * published there, and clients can't ask for them.
 */
export const ANY_PAGE = 'pages';
const PAGE_PREFIX = 'page/';
export const EACH_PAGE: Matcher = { pattern: `${PAGE_PREFIX}*` };

export function pageTopic(page: PageName): string {
  return PAGE_PREFIX + page;
}

/** Whether a connection has this topic only to be counted. */
export function isForCounting(topic: Matcher): boolean {
  return topic === ANY_PAGE || pageOf([topic]) !== undefined;
}

/** The page that a connection with these topics shows. */
export function pageOf(topics: readonly Matcher[]): PageName | undefined {
  for (const topic of topics) {
    if (typeof topic === 'string' && topic.startsWith(PAGE_PREFIX)) return topic.slice(PAGE_PREFIX.length);
  }
  return undefined;
}
