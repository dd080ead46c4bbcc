import type { LogEntry } from './entry.ts';

/** Entries that a reader wants, and how far the log was searched. */
export interface Page {
  readonly entries: readonly LogEntry[];
  /**
   * Every entry up to and including this seq was considered: the reader's next cursor. Of a page that was read
   * backwards: every entry from this seq on was.
   */
  readonly next: number;
}

export interface PageLimit {
  readonly events: number;
  /** UTF-16 units of data; a page holds at least one entry, however large. */
  readonly length: number;
  /**
   * The most entries and topic names to look at, found or not, which bounds the time of a page; `next` says how far the
   * search came. Default: no limit.
   */
  readonly looks?: number;
}

/** As many of the entries as fit, in either order. `end`: how far they were searched for. */
export function toPage(entries: readonly LogEntry[], limit: PageLimit, end: number): Page {
  let length = 0;
  for (const [i, entry] of entries.entries()) {
    length += entry.data.length;
    if (i + 1 >= limit.events || length >= limit.length)
      return { entries: entries.slice(0, i + 1), next: entry.seq };
  }
  return { entries, next: end };
}
