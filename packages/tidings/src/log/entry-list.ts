import type { MatcherSet } from '../protocol/matcher-set.ts';
import type { LogEntry } from './entry.ts';
import type { Page, PageLimit } from './page.ts';
import { TailIndex } from './tail-index.ts';

/** Gaps in the list that are put up with before it is packed anew. */
const MAX_GAPS = 1024;

/**
 * Entries in seq order, found by seq and by topic. Takes memory for the entries it has, whatever seqs lie between
 * them. Entries come at the end and mostly go at the front; each may go.
 */
export class EntryList {
  readonly #index = new TailIndex();
  /** Undefined where an entry was removed. Entries before `#start` are gone. */
  #entries: (LogEntry | undefined)[] = [];
  #seqs: number[] = [];
  #start = 0;
  #count = 0;

  /** How many entries there are. */
  get length(): number {
    return this.#count;
  }

  get first(): LogEntry | undefined {
    return this.#entries[this.#start];
  }

  /** `entry` comes after all others. */
  push(entry: LogEntry): void {
    this.#entries.push(entry);
    this.#seqs.push(entry.seq);
    this.#index.add(entry);
    this.#count += 1;
  }

  get(seq: number): LogEntry | undefined {
    const at = this.#from(seq);
    return this.#seqs[at] === seq ? this.#entries[at] : undefined;
  }

  remove(seq: number): LogEntry | undefined {
    const at = this.#from(seq);
    const entry = this.#seqs[at] === seq ? this.#entries[at] : undefined;
    if (entry === undefined) return undefined;
    this.#entries[at] = undefined;
    this.#index.remove(entry);
    this.#count -= 1;
    this.#pack();
    return entry;
  }

  /** Replaces the entry with the same seq. @returns the old entry; undefined if there is none. */
  replace(entry: LogEntry): LogEntry | undefined {
    const at = this.#from(entry.seq);
    const before = this.#seqs[at] === entry.seq ? this.#entries[at] : undefined;
    if (before === undefined) return undefined;
    this.#index.remove(before);
    this.#index.insert(entry);
    this.#entries[at] = entry;
    return before;
  }

  /** All entries after `seq`. */
  after(seq: number): LogEntry[] {
    return this.#entries.slice(this.#from(seq + 1)).filter((entry) => entry !== undefined);
  }

  /** @returns the entries after `seq`, which are gone. */
  removeAfter(seq: number): LogEntry[] {
    const at = this.#from(seq + 1);
    const removed = this.after(seq);
    for (const entry of removed) this.#index.remove(entry);
    this.#entries.length = at;
    this.#seqs.length = at;
    this.#count -= removed.length;
    return removed;
  }

  clear(): void {
    this.#entries = [];
    this.#seqs = [];
    this.#start = 0;
    this.#count = 0;
    this.#index.clear();
  }

  /** All entries, oldest first. */
  *[Symbol.iterator](): Generator<LogEntry> {
    for (let at = this.#start; at < this.#entries.length; at += 1) {
      const entry = this.#entries[at];
      if (entry !== undefined) yield entry;
    }
  }

  /** The entries that are wanted, after the cursor and up to `end`, which is the next cursor if all fit. */
  read(after: number, end: number, query: Wanted): Page {
    return this.#pick(this.#after(after, end, query), end, query);
  }

  /** The same backwards: below `before` and down to `after`. The page's `next` is the next `before`. */
  readBack(before: number, after: number, query: Wanted): Page {
    return this.#pick(this.#before(before, after, query), after + 1, query);
  }

  #pick(entries: Iterable<LogEntry>, end: number, { wants, limit }: Wanted): Page {
    const { looks = Infinity } = limit;
    const found: LogEntry[] = [];
    let length = 0;
    let looked = 0;
    for (const entry of entries) {
      looked += 1;
      if (wants(entry)) {
        found.push(entry);
        length += entry.data.length;
      }
      const isFull = found.length >= limit.events || length >= limit.length || looked >= looks;
      if (isFull) return { entries: found, next: entry.seq };
    }
    return { entries: found, next: end };
  }

  /** All entries that may be wanted, and others where checking each costs less than the index. */
  *#after(cursor: number, end: number, { matchers, limit }: Wanted): Generator<LogEntry> {
    const start = this.#from(cursor + 1);
    const seqs = this.#index.after(cursor, this.#entries.length - start, matchers, limit.looks);
    if (seqs !== undefined) {
      for (const seq of seqs) {
        if (seq > end) return;
        const entry = this.get(seq);
        if (entry !== undefined) yield entry;
      }
      return;
    }
    for (let at = start; at < this.#entries.length; at += 1) {
      if ((this.#seqs[at] ?? Infinity) > end) return;
      const entry = this.#entries[at];
      if (entry !== undefined) yield entry;
    }
  }

  *#before(before: number, cursor: number, { matchers, limit }: Wanted): Generator<LogEntry> {
    const start = this.#from(cursor + 1);
    const end = this.#from(before);
    const seqs = this.#index.before(before, cursor, end - start, matchers, limit.looks);
    if (seqs !== undefined) {
      for (const seq of seqs) {
        const entry = this.get(seq);
        if (entry !== undefined) yield entry;
      }
      return;
    }
    for (let at = end - 1; at >= start; at -= 1) {
      const entry = this.#entries[at];
      if (entry !== undefined) yield entry;
    }
  }

  /** The index of the first seq that is not below this one. */
  #from(seq: number): number {
    const start = this.#start;
    const end = this.#seqs.length;
    // Mostly no seq is left out.
    const guess = start + seq - (this.#seqs[start] ?? 0);
    if (guess >= start && guess < end && this.#seqs[guess] === seq) return guess;
    let low = start;
    let high = end;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#seqs[middle] ?? Infinity) < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #pack(): void {
    while (this.#start < this.#entries.length && this.#entries[this.#start] === undefined) this.#start += 1;
    const gaps = this.#entries.length - this.#count;
    if (gaps <= MAX_GAPS || gaps <= this.#count) return;
    this.#entries = this.#entries.slice(this.#start);
    this.#seqs = this.#seqs.slice(this.#start);
    this.#start = 0;
    if (this.#entries.length === this.#count) return;
    this.#entries = this.#entries.filter((entry) => entry !== undefined);
    this.#seqs = this.#entries.map((entry) => entry?.seq ?? 0);
  }
}

/** A reader's topics. */
export interface Wanted {
  readonly wants: (entry: LogEntry) => boolean;
  readonly matchers: MatcherSet;
  readonly limit: PageLimit;
}
