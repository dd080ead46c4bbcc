import type { MatcherSet } from '../protocol/matcher-set.ts';
import { type LogEntry, sizeOf } from './entry.ts';
import type { Page, PageLimit } from './page.ts';
import { type Retention, assertRetention } from './retention.ts';
import { TailIndex } from './tail-index.ts';

export interface TailOptions {
  readonly epoch: string;
  /** The seq of the newest event before the first `push`. */
  readonly head?: number;
  readonly retention: Retention;
  /** Told of each entry that retention or `skip` takes, oldest first. Not told of what `remove` took. */
  readonly onTrim?: (entry: LogEntry) => void;
}

/** Told that what comes next leaves out events of these topics; without topics, of any. */
export type MissListener = (topics: readonly string[] | undefined) => void;

/**
 * The newest events of a log, in memory: a place for every seq after `floor`, empty where the event was removed.
 *
 * Live pushes and nearly all resumes are served from here. The log that feeds it pushes; the hub listens and reads.
 */
export class Tail {
  readonly epoch: string;
  readonly #retention: Retention;
  readonly #onTrim: ((entry: LogEntry) => void) | undefined;
  readonly #listeners = new Set<(entries: readonly LogEntry[]) => void>();
  readonly #missListeners = new Set<MissListener>();
  readonly #index = new TailIndex();
  #entries: (LogEntry | undefined)[] = [];
  /** Places before this index are gone; the array is cut now and then instead of shifted each time. */
  #start = 0;
  #count = 0;
  #head: number;
  #bytes = 0;

  /** @throws {TidingsError} `hub/invalid-option`. */
  constructor(options: TailOptions) {
    assertRetention(options.retention);
    this.epoch = options.epoch;
    this.#head = options.head ?? 0;
    this.#retention = options.retention;
    this.#onTrim = options.onTrim;
  }

  /** The seq of the newest event. */
  get head(): number {
    return this.#head;
  }

  /** The oldest cursor that can be read from: all the log's events after it are here. */
  get floor(): number {
    return this.#head - (this.#entries.length - this.#start);
  }

  /** How many events there are. */
  get length(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** How many events there may be. */
  get capacity(): number {
    return this.#retention.events ?? Infinity;
  }

  /** Calls `listener` with what `push` brings, in order. @returns what ends that. */
  onPush(listener: (entries: readonly LogEntry[]) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * Calls `listener` when the log can't bring all: retention was faster, or another process appended too much. It is
   * called while the head still stands before what is missing: who is at the head has to read the log from there.
   * @returns what ends that.
   */
  onMiss(listener: MissListener): () => void {
    this.#missListeners.add(listener);
    return () => void this.#missListeners.delete(listener);
  }

  /**
   * `entries` continue the sequence; seqs that they leave out, up to `head`, are of events that are no longer in the
   * log. If retention took one of those, `miss` comes first.
   */
  push(entries: readonly LogEntry[], head: number = entries.at(-1)?.seq ?? this.#head): void {
    for (const entry of entries) {
      this.#fillTo(entry.seq - 1);
      this.#entries.push(entry);
      this.#index.add(entry);
      this.#head = entry.seq;
      this.#count += 1;
      this.#bytes += sizeOf(entry);
    }
    this.#fillTo(head);
    const newest = entries.at(-1);
    if (newest === undefined) return;
    this.trim(newest.time);
    for (const listener of this.#listeners) listener(entries);
  }

  /** Says that what comes next leaves out events of these topics; without topics, of any. */
  miss(topics?: readonly string[]): void {
    for (const listener of this.#missListeners) listener(topics);
  }

  /** Goes on at `seq`, without what there is up to there: who wants it has to read the log. */
  skip(seq: number): void {
    this.miss();
    const entries = this.#entries.slice(this.#start);
    this.#entries = [];
    this.#index.clear();
    this.#start = 0;
    this.#count = 0;
    this.#bytes = 0;
    this.#head = seq;
    for (const entry of entries) if (entry !== undefined) this.#onTrim?.(entry);
  }

  /** Takes out one event, because a newer one of its key stands for it or its topic's retention took it. */
  remove(seq: number): LogEntry | undefined {
    const index = this.#start + (seq - this.floor) - 1;
    const entry = index < this.#start ? undefined : this.#entries[index];
    if (entry === undefined) return undefined;
    this.#entries[index] = undefined;
    this.#index.remove(entry);
    this.#count -= 1;
    this.#bytes -= sizeOf(entry);
    return entry;
  }

  /**
   * Entries after the cursor that `wants` says yes to, among those that `matchers` match. The cursor must not be below
   * `floor`.
   */
  read(after: number, wants: (entry: LogEntry) => boolean, limit: PageLimit, matchers: MatcherSet): Page {
    const { looks = Infinity } = limit;
    const found: LogEntry[] = [];
    let length = 0;
    let looked = 0;
    for (const entry of this.#after(after, matchers, looks)) {
      looked += 1;
      if (wants(entry)) {
        found.push(entry);
        length += entry.data.length;
      }
      const isFull = found.length >= limit.events || length >= limit.length || looked >= looks;
      if (isFull) return { entries: found, next: entry.seq };
    }
    return { entries: found, next: this.#head };
  }

  /** All that may be wanted; and more, where a look at each entry costs less than the index. */
  *#after(cursor: number, matchers: MatcherSet, looks: number): Generator<LogEntry> {
    // The place of an entry is its seq from here on, as long as nothing is pushed.
    const offset = this.#entries.length - this.#head - 1;
    const seqs = this.#index.after(cursor, this.#head - cursor, matchers, looks);
    if (seqs !== undefined) {
      for (const seq of seqs) {
        const entry = this.#entries[offset + seq];
        if (entry !== undefined) yield entry;
      }
      return;
    }
    for (let i = offset + cursor + 1; i < this.#entries.length; i += 1) {
      const entry = this.#entries[i];
      if (entry !== undefined) yield entry;
    }
  }

  /** Lets go of what retention no longer covers. `now` in milliseconds since 1970. */
  trim(now: number): void {
    const { events = Infinity, bytes = Infinity, age = Infinity } = this.#retention;
    while (this.#start < this.#entries.length) {
      const oldest = this.#entries[this.#start];
      const fits = this.#count <= events && this.#bytes <= bytes;
      if (oldest !== undefined && fits && now - oldest.time <= age) break;
      this.#start += 1;
      if (oldest === undefined) continue;
      this.#entries[this.#start - 1] = undefined;
      this.#index.remove(oldest);
      this.#count -= 1;
      this.#bytes -= sizeOf(oldest);
      this.#onTrim?.(oldest);
    }
    if (this.#start > 1024 && this.#start > this.#entries.length / 2) {
      this.#entries = this.#entries.slice(this.#start);
      this.#start = 0;
    }
  }

  /** Empty places, for events that are no longer in the log. */
  #fillTo(seq: number): void {
    for (; this.#head < seq; this.#head += 1) this.#entries.push(undefined);
  }
}
