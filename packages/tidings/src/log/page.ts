import type { LogEntry } from './entry.ts';

/** What a reader gets: entries it wants, and how far was looked. */
export interface Page {
  readonly entries: readonly LogEntry[];
  /** Every entry up to and including this seq was considered: the reader's next cursor. */
  readonly next: number;
}

export interface PageLimit {
  readonly events: number;
  /** UTF-16 units of data; a page holds at least one entry, however large. */
  readonly length: number;
  /**
   * Entries and names of topics that may be looked at, found or not, so that no page takes long; `next` then says how far
   * it was looked. Default: any number.
   */
  readonly looks?: number;
}

/** As many of the entries as fit. `end`: up to where was looked for them. */
export function toPage(entries: readonly LogEntry[], limit: PageLimit, end: number): Page {
  let length = 0;
  for (const [i, entry] of entries.entries()) {
    length += entry.data.length;
    if (i + 1 >= limit.events || length >= limit.length)
      return { entries: entries.slice(0, i + 1), next: entry.seq };
  }
  return { entries, next: end };
}
