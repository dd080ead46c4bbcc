import type { LogEntry } from './entry.ts';
import { type Lineage, locate } from './lineage.ts';
import type { Page, PageLimit } from './page.ts';
import type { Patience } from './patience.ts';
import { Tail, type TailOptions } from './tail.ts';
import { TailStates } from './tail-states.ts';
import { type TopicRules, isState } from './topic-rules.ts';

/** A shared log's head and epochs, and how much retention has taken. */
export interface SourceState {
  /** The log's epoch, and those it descends from. Another one than before: the log may have lost its end. */
  readonly epoch: string;
  readonly lineage: Lineage;
  /** The seq of the newest event. */
  readonly head: number;
  /** The newest seq that retention has taken, 0 if none. */
  readonly newestLoss: number;
  /** How many events retention has taken in all. */
  readonly lossCount: number;
}

export interface SourceQuery {
  /** Entries with a greater seq are meant, whatever their topics. */
  readonly after: number;
  /** Losses that the follower knows of: `lost` is about those counted since. */
  readonly lossCount: number;
  readonly limit: PageLimit;
}

/** A page of the log, and the state the log was in at that moment or later. */
export interface SourcePage extends Page {
  readonly state: SourceState;
  /**
   * Topics that lost an event after the query's `after` since so many losses had been counted; undefined if there
   * are too many to tell.
   */
  readonly lost: readonly string[] | undefined;
}

/**
 * The part of a shared log's engine that the follower reads. Each answer is at least as new as the call: an event that
 * was in the log when `read` was called is on the page, or after its `next`.
 */
export interface LogSource {
  read(query: SourceQuery): SourcePage | Promise<SourcePage>;
  /** The events among these that are still in the log, in their present form. */
  find(seqs: readonly number[]): readonly LogEntry[] | Promise<readonly LogEntry[]>;
}

export interface FollowerOptions {
  readonly source: LogSource;
  readonly rules: TopicRules;
  /** Of the tail that the follower makes. */
  readonly tail: Omit<TailOptions, 'onTrim'>;
  /** Losses that had been counted when the tail's head was read. */
  readonly lossCount: number;
  /** Takes each state that was read, before the events up to its head are pushed. */
  readonly onState: (state: SourceState) => void;
  /** Runs a task in a later turn of the event loop. Reading gives way to others after each page. */
  readonly defer: (task: () => void) => void;
  /**
   * If the tail is further behind than this, and than it has room for, the follower skips to the newest events and
   * leaves the others to the readers that want them. Default 100,000: reading those takes about half a second.
   */
  readonly mostBehind?: number;
  /**
   * Begins to wait for events of other processes that can't be read although this process could append. Without them the
   * tail skips, and nobody knows who received what the log then loses. Default: it skips at once.
   */
  readonly patience?: () => Patience;
}

/** Events read at once; `length` in UTF-16 units of data. */
const PAGE: PageLimit = { events: 1000, length: 2_097_152 };
const MOST_BEHIND = 100_000;

/**
 * Brings every process's events to a tail, in order: other processes' events before newer ones of this process. Where
 * retention was faster, or there is too much to read, the tail says so first (`miss`, `skip`).
 */
export class Follower {
  readonly tail: Tail;
  readonly #options: FollowerOptions;
  readonly #states: TailStates;
  readonly #mostBehind: number;
  /** The epochs before the tail's, as far as they have been read. */
  #lineage: Lineage = [];
  /** Losses that had been counted when the tail was last at the head. */
  #knownLosses: number;
  /** All work, one piece after another. */
  #work: Promise<unknown> = Promise.resolve();
  /** The next `catchUp`, as long as it has not begun to read. */
  #waiting: Promise<void> | undefined;
  /** Older values of keys, of which the log could not be asked whether it still has them. */
  #unchecked: readonly number[] = [];
  #stopped = false;

  /** @throws {TidingsError} `hub/invalid-option`. */
  constructor(options: FollowerOptions) {
    this.#options = options;
    this.#knownLosses = options.lossCount;
    this.#states = new TailStates(options.rules);
    this.tail = new Tail({ ...options.tail, onTrim: (entry) => this.#states.delete(entry) });
    this.#mostBehind = Math.max(this.tail.capacity, options.mostBehind ?? MOST_BEHIND);
  }

  /** Resolves once the tail has all that was in the log when this was called. Rejects if the log can't be read. */
  catchUp(): Promise<void> {
    return (this.#waiting ??= this.#inTurn(async () => {
      this.#waiting = undefined;
      await this.#readToHead();
    }));
  }

  /**
   * Pushes this process's entries, after the entries of others up to and including the seq `before`. `epoch` is the
   * log's when it took the entries: in a later epoch, only reading can tell which of them are left.
   */
  push(entries: readonly LogEntry[], before: number, epoch: string = this.tail.epoch): Promise<void> {
    return this.#inTurn(async () => {
      const { tail } = this;
      if (tail.head < before) await this.#readOthers(before, epoch);
      // Reading may have brought these already, with later ones of other processes; or the log went back meanwhile.
      if (tail.epoch === epoch) await this.#push(entries.filter(({ seq }) => seq > tail.head));
    });
  }

  /** Resolves when all reading has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#work;
  }

  #inTurn(task: () => Promise<void>): Promise<void> {
    const done = this.#work.then(task);
    this.#work = done.catch(() => {
      // The caller learns of it from `done`.
    });
    return done;
  }

  async #readToHead(): Promise<void> {
    while (!this.#stopped && (await this.#readPage()))
      await new Promise<void>((resolve) => this.#options.defer(resolve));
  }

  /** Should the log stay unreadable, readers learn that from their own reads. */
  async #readOthers(before: number, epoch: string): Promise<void> {
    const { tail } = this;
    const mayTryAgain = this.#options.patience?.();
    for (;;) {
      try {
        return await this.#readToHead();
      } catch {
        // In another epoch there may be no such seq yet.
        if (tail.epoch !== epoch || tail.head >= before) return;
        if (this.#stopped || (await mayTryAgain?.()) !== true) return tail.skip(before);
      }
    }
  }

  /** @returns whether there is more. */
  async #readPage(): Promise<boolean> {
    const { source, onState } = this.#options;
    const { tail } = this;
    const after = tail.head;
    const page = await source.read({ after, lossCount: this.#knownLosses, limit: PAGE });
    const { state, lost } = page;
    if (state.epoch !== tail.epoch) return this.#goBack(state);
    this.#lineage = state.lineage;
    if (state.head - after > this.#mostBehind) {
      tail.skip(state.head - Math.min(tail.capacity, this.#mostBehind));
      onState(state);
      return true;
    }
    // The page lacks events that retention has taken. Readers have to learn of them first.
    if (state.newestLoss > after && lost?.length !== 0) tail.miss(lost);
    onState(state);
    if (page.next > after || this.#unchecked.length > 0) await this.#push(page.entries, page.next);
    if (tail.head < state.head) return true;
    this.#knownLosses = state.lossCount;
    return false;
  }

  /** Goes on in the log's new epoch, from the last seq that the tail's has in common with it. @returns true: there is more. */
  #goBack(state: SourceState): boolean {
    const { tail } = this;
    const end = this.#endInCommon(state);
    this.#options.onState(state);
    this.#lineage = state.lineage;
    for (const entry of tail.rewind(state.epoch, end)) this.#states.delete(entry);
    this.#knownLosses = 0;
    return true;
  }

  /** A copy that took over may know no more than an older epoch. A log that began anew shares no history: 0. */
  #endInCommon(state: SourceState): number {
    const { tail } = this;
    let end = tail.head;
    for (const epoch of [tail.epoch, ...this.#lineage.map((past) => past.epoch).toReversed()]) {
      end = Math.min(end, this.#lineage.find((past) => past.epoch === epoch)?.end ?? end);
      const standing = locate({ epoch, seq: end }, state);
      if (standing.is !== 'foreign') return Math.min(standing.seq, state.head);
    }
    return 0;
  }

  async #push(entries: readonly LogEntry[], head?: number): Promise<void> {
    const older = [...new Set([...this.#unchecked, ...this.#states.olderThan(entries)])];
    const found = older.length === 0 ? [] : await this.#find(older);
    this.#unchecked = found === undefined ? older : [];
    this.#states.add(entries);
    this.tail.push(entries, head);
    if (found === undefined) return;
    const kept = new Map(found.map((entry) => [entry.seq, entry]));
    for (const seq of older) this.#update(seq, kept.get(seq));
  }

  /** Updates an event of the tail to its form in the log. */
  #update(seq: number, left: LogEntry | undefined): void {
    const { tail } = this;
    if (left !== undefined) tail.replace(left);
    const gone = left === undefined ? tail.remove(seq) : undefined;
    if (gone !== undefined) this.#states.delete(gone);
    else if (left !== undefined && !isState(this.#options.rules, left)) this.#states.delete(left);
  }

  /** The events among these that the log still has. Undefined if it can't be read, which must not delay the push. */
  async #find(seqs: readonly number[]): Promise<readonly LogEntry[] | undefined> {
    try {
      return await this.#options.source.find(seqs);
    } catch {
      // Asked again with the next push. Until then readers may be given a value and then the newer one.
      return undefined;
    }
  }
}
