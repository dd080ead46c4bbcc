import type { MatcherSet } from '../protocol/matcher-set.ts';
import { type LogEntry, sizeOf } from './entry.ts';
import { EntryList } from './entry-list.ts';
import type { Page, PageLimit } from './page.ts';
import { type Retention, assertRetention } from './retention.ts';

export interface TailOptions {
  readonly epoch: string;
  /** The seq of the newest event before the first `push`. */
  readonly head?: number;
  readonly retention: Retention;
  /** Whether an entry counts against the bounds. Default: each does. */
  readonly counts?: (entry: LogEntry) => boolean;
  /** Called with each entry that retention or `skip` takes, oldest first; not with those that `remove` takes. */
  readonly onTrim?: (entry: LogEntry) => void;
}

/** How many events to drop at a time because of their age: as many take about a millisecond. */
export const AGED_STEP = 1000;

/** Called when the log has lost its events after this seq, of which the tail has `lost`, before it goes back there. */
export type RewindListener = (end: number, lost: readonly LogEntry[]) => void;

/** Called when the next push leaves out events of these topics; without topics, of any. */
export type MissListener = (topics: readonly string[] | undefined) => void;

/**
 * The newest events of a log, in memory: all that the log has after `floor`.
 *
 * Live pushes and nearly all resumes are served from here. The log that feeds it pushes; the hub listens and reads.
 */
export class Tail {
  #epoch: string;
  readonly #retention: Retention;
  readonly #onTrim: ((entry: LogEntry) => void) | undefined;
  readonly #listeners = new Set<(entries: readonly LogEntry[]) => void>();
  readonly #missListeners = new Set<MissListener>();
  readonly #rewindListeners = new Set<RewindListener>();
  readonly #counts: (entry: LogEntry) => boolean;
  readonly #entries = new EntryList();
  #head: number;
  #floor: number;
  #bytes = 0;
  /** The entries that count against the bounds. */
  #countedEvents = 0;
  #countedBytes = 0;

  /** @throws {TidingsError} `hub/invalid-option`. */
  constructor(options: TailOptions) {
    assertRetention(options.retention);
    this.#epoch = options.epoch;
    this.#head = options.head ?? 0;
    this.#floor = this.#head;
    this.#counts = options.counts ?? ((): boolean => true);
    this.#retention = options.retention;
    this.#onTrim = options.onTrim;
  }

  get epoch(): string {
    return this.#epoch;
  }

  /** The seq of the newest event. */
  get head(): number {
    return this.#head;
  }

  /** The oldest cursor that can be read from: all the log's events after it are here. */
  get floor(): number {
    return this.#floor;
  }

  /** How many events there are. */
  get length(): number {
    return this.#entries.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The most events there may be, of those that count. */
  get capacity(): number {
    return this.#retention.events ?? Infinity;
  }

  /** Calls `listener` with the entries of each push, in order. @returns a function that stops it. */
  onPush(listener: (entries: readonly LogEntry[]) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * Calls `listener` when the log can't bring all: retention was faster, or another process appended too much. It is
   * called while the head is still before the missing events: a reader at the head has to read the log from there.
   * @returns a function that stops it.
   */
  onMiss(listener: MissListener): () => void {
    this.#missListeners.add(listener);
    return () => void this.#missListeners.delete(listener);
  }

  /** Calls `listener` when the log has lost its end, while the head is still old. @returns a function that stops it. */
  onRewind(listener: RewindListener): () => void {
    this.#rewindListeners.add(listener);
    return () => void this.#rewindListeners.delete(listener);
  }

  /**
   * `entries` continue the sequence; seqs that they leave out, up to `head`, are of events that are no longer in the
   * log. If retention took one of those, `miss` comes first.
   */
  push(entries: readonly LogEntry[], head: number = entries.at(-1)?.seq ?? this.#head): void {
    for (const entry of entries) {
      this.#entries.push(entry);
      this.#count(entry, 1);
    }
    this.#head = Math.max(this.#head, head);
    const newest = entries.at(-1);
    if (newest === undefined) return;
    // No fewer than came: it would grow with each push.
    this.trim(newest.time, Math.max(AGED_STEP, entries.length));
    for (const listener of this.#listeners) listener(entries);
  }

  /** Announces that the next push leaves out events of these topics; without topics, of any. */
  miss(topics?: readonly string[]): void {
    for (const listener of this.#missListeners) listener(topics);
  }

  /** Goes on at `seq`, without the events up to there: their readers have to read the log. */
  skip(seq: number): void {
    this.miss();
    const entries = [...this.#entries];
    this.#entries.clear();
    this.#bytes = 0;
    this.#countedEvents = 0;
    this.#countedBytes = 0;
    this.#head = seq;
    this.#floor = seq;
    for (const entry of entries) this.#onTrim?.(entry);
  }

  /**
   * Goes on in a new epoch after `end`, because the log has lost the events it had given out beyond: an engine failed
   * over to a copy that was behind, say. Add the old epoch to the log's lineage first.
   *
   * @returns the lost entries of the tail. `onTrim` doesn't get them, since retention didn't take them.
   */
  rewind(epoch: string, end: number): readonly LogEntry[] {
    const ending = this.#entries.after(end);
    for (const listener of this.#rewindListeners) listener(end, ending);
    const lost = this.#entries.removeAfter(end);
    for (const entry of lost) this.#count(entry, -1);
    this.#epoch = epoch;
    this.#head = end;
    this.#floor = Math.min(this.#floor, end);
    return lost;
  }

  /** Removes one event that a newer one of its key superseded, or that its topic's retention took. */
  remove(seq: number): LogEntry | undefined {
    const entry = this.#entries.remove(seq);
    if (entry !== undefined) this.#count(entry, -1);
    return entry;
  }

  /** Replaces the entry with the same seq, if it is in the tail. */
  replace(entry: LogEntry): void {
    const before = this.#entries.replace(entry);
    if (before === undefined) return;
    this.#count(before, -1);
    this.#count(entry, 1);
  }

  /**
   * Entries after the cursor that `wants` says yes to, among those that `matchers` match. The cursor must not be below
   * `floor`.
   */
  read(after: number, wants: (entry: LogEntry) => boolean, limit: PageLimit, matchers: MatcherSet): Page {
    return this.#entries.read(after, this.#head, { wants, limit, matchers });
  }

  /** The same backwards: below `before` and down to the cursor, newest first. The page's `next` is the next `before`. */
  readBack(
    before: number,
    after: number,
    wants: (entry: LogEntry) => boolean,
    limit: PageLimit,
    matchers: MatcherSet,
  ): Page {
    return this.#entries.readBack(before, after, { wants, limit, matchers });
  }

  /**
   * Drops entries beyond the bounds of retention. `now` in milliseconds since 1970.
   *
   * @param most how many to drop only because of their age: any number may grow too old at the same moment.
   * @returns whether none are left that are too old.
   */
  trim(now: number, most: number = Infinity): boolean {
    const { events = Infinity, bytes = Infinity, age = Infinity } = this.#retention;
    for (let aged = 0; ;) {
      const oldest = this.#entries.first;
      // Readers need not look here for seqs that are no longer in the log.
      this.#floor = oldest === undefined ? this.#head : oldest.seq - 1;
      if (oldest === undefined) return true;
      if (this.#countedEvents <= events && this.#countedBytes <= bytes) {
        if (now - oldest.time <= age) return true;
        if (aged === most) return false;
        aged += 1;
      }
      this.remove(oldest.seq);
      this.#onTrim?.(oldest);
    }
  }

  #count(entry: LogEntry, sign: 1 | -1): void {
    const size = sign * sizeOf(entry);
    this.#bytes += size;
    if (!this.#counts(entry)) return;
    this.#countedEvents += sign;
    this.#countedBytes += size;
  }
}
