import type { LogEntry, Tail } from '../../log/index.ts';
import { scanLog, topicsLost } from './read.ts';
import { type LogState, type Store, readState } from './store.ts';
import type { TailStates } from './tail-states.ts';

export interface FollowerOptions {
  readonly store: Store;
  readonly tail: Tail;
  readonly states: TailStates;
  /** Told of the log's state as it is read, before what is new in it is pushed. */
  readonly onState: (state: LogState) => void;
}

/** Read at once, so that others have their turn in between. `length` in UTF-16 units of data. */
const PAGE = { events: 1000, length: 2_097_152 };
/**
 * To read so many for all connections together costs about half a second. Of more than that, and than the tail holds,
 * each connection had better read what it wants.
 */
const MOST_BEHIND = 100_000;

/** Brings to the tail, in order, what other processes append to the log, and what this one does. */
export class Follower {
  readonly #options: FollowerOptions;
  /** Losses that had been counted when the tail was last at the head. */
  #knownLosses: number;
  #running: Promise<void> | undefined;
  #stopped = false;

  constructor(options: FollowerOptions) {
    this.#options = options;
    this.#knownLosses = readState(options.store).lossCount;
  }

  /** Resolves once the tail has all that was in the log when this was called. */
  async catchUp(): Promise<void> {
    // One that runs looks for the newest state before each page, the last time when it finds nothing more.
    if (this.#running === undefined && this.#step()) this.#running = this.#run();
    await this.#running;
  }

  /** Pushes what this process appended; first what others had appended `before` that seq. */
  async push(entries: readonly LogEntry[], before: number): Promise<void> {
    const { tail } = this.#options;
    // Should the log be unreadable, readers will learn that from their own reads.
    if (tail.head < before) await this.catchUp().catch(() => tail.head < before && tail.skip(before));
    // Others may have come after it, and all of that been read by now.
    this.#push(entries.filter(({ seq }) => seq > tail.head));
  }

  /** Resolves when nothing is read any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running?.catch(() => {
      // Whoever waited for it was told.
    });
  }

  async #run(): Promise<void> {
    try {
      do await new Promise((resolve) => void setImmediate(resolve));
      while (this.#step());
    } finally {
      this.#running = undefined;
    }
  }

  /** @returns whether there is more. */
  #step(): boolean {
    if (this.#stopped) return false;
    const { store, tail, onState } = this.#options;
    // It would go on showing what there was when it began.
    store.root.resetReadTxn();
    const state = readState(store);
    if (state.head - tail.head > Math.max(tail.capacity, MOST_BEHIND))
      tail.skip(state.head - Math.min(tail.capacity, MOST_BEHIND));
    else if (state.newestLoss > tail.head) this.#miss(state);
    onState(state);
    if (tail.head < state.head) {
      const query = { after: tail.head, wants: () => true, limit: PAGE };
      const { entries, next } = scanLog(store, query, state.head);
      this.#push(entries, next);
    }
    if (tail.head < state.head) return true;
    this.#knownLosses = state.lossCount;
    return false;
  }

  /** What comes next leaves out what retention has taken already, so who wanted that has to be told of the loss. */
  #miss(state: LogState): void {
    const { store, tail } = this.#options;
    const topics = topicsLost(store, state, tail.head, this.#knownLosses);
    if (topics?.length !== 0) tail.miss(topics);
  }

  #push(entries: readonly LogEntry[], head?: number): void {
    const { store, tail, states } = this.#options;
    tail.push(entries, head);
    for (const entry of entries) {
      const before = states.set(entry);
      if (before !== undefined && !store.events.doesExist(before)) tail.remove(before);
    }
  }
}
