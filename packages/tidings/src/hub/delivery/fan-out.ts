import type { Clock } from '../clock.ts';
import { LagSamples } from './lag-samples.ts';
import { Batch, createEncoder } from './batch.ts';
import { type Receiver, type Subscription, type Subscriptions, mayRead } from './subscription.ts';
import type { LogEntry } from '../../log/entry.ts';
import type { Output } from './sink.ts';
import type { Tail } from '../../log/tail.ts';
import type { Tuning } from './tuning.ts';

/** Beyond these, a flush doesn't wait for the tick's end: a loop that only publishes must not fill the memory. */
const MAX_PENDING_EVENTS = 1024;
const MAX_PENDING_LENGTH = 262_144;
/** While a flush is under way, this many times as much may wait; then that flush is finished at once. */
const PATIENCE = 16;

/**
 * The first event after so many milliseconds without a flush doesn't wait for the end of the tick (`latency`). It does if
 * the last flush had more than a few receivers: if more events follow, that is a second write to each of them.
 */
const QUIET = 5;
const FEW = 50;

/** Encoding so many events for a subscription, or writing so many bytes, takes about as long as a write of few bytes. */
const EVENTS_LIKE_A_WRITE = 8;
const BYTES_LIKE_A_WRITE = 16_384;

export interface FanOutOptions {
  readonly tail: Tail;
  readonly subscriptions: Subscriptions;
  readonly clock: Clock;
  readonly counters: { delivered: number; bytes: number; flushes: number };
  readonly deliveryTime: { add(milliseconds: number): void };
  /** Milliseconds to gather events before a flush; 0: until the end of the tick. */
  readonly window: number;
  readonly tuning: Tuning;
}

/** A connection at the head that waits for the end of a flush. */
export interface Waiting {
  flushed(): void;
}

interface Matched {
  readonly entries: number;
  readonly touched: Subscription[];
  readonly pairs: number;
}

/** A flush under way: the live receivers of the batches are pushed to, one after the other. */
interface Walk {
  readonly batches: readonly Batch[];
  /** Where in there a subscription's batch is; made when it is asked for. */
  places: Map<Subscription, number> | undefined;
  /** The seq that all live receivers had before, and the one they have once they are reached. */
  readonly from: number;
  readonly seq: number;
  readonly at: number;
  /** When the first entry was appended, by the clock's monotonic time. */
  readonly since: number;
  /** Whether it may take so long that it is done in slices. */
  readonly isLarge: boolean;
  /** About how many writes to a socket can be paid for until the time is looked at again. */
  left: number;
  /** The batch that is being pushed. */
  index: number;
  /** Kept from slice to slice: no receiver joins before the end, and those that leave are skipped. */
  iterator: IterableIterator<Receiver> | undefined;
  /** `order` of the receiver of that batch that was reached last. */
  order: number;
}

/**
 * Pushes appended events to the connections at the head. All events of one tick go out in one flush:
 * matched once for each subscription, put together once, one write for each connection. Only the first event after a
 * pause doesn't wait for the others.
 *
 * With many receivers a flush takes several turns of the event loop. Until it ends no connection goes live, and one
 * that leaves asks for the batch it has not been given yet.
 *
 * Longer than other files because gathering, slicing and finishing a flush share its state.
 */
export class FanOut {
  readonly lag: LagSamples = new LagSamples();
  readonly #options: FanOutOptions;
  readonly #stopListening: () => void;
  #pending: LogEntry[] = [];
  /** A copy of them for others, as long as none come or go. */
  #shown: readonly LogEntry[] | undefined;
  #pendingLength = 0;
  #pendingSince = 0;
  #walk: Walk | undefined;
  /** Whether receivers are being pushed to right now. */
  #isPushing = false;
  /** Whether entries that the tail has already are still to be gathered. */
  #isGathering = false;
  #cancelTimer: (() => void) | undefined;
  /** When the last flush ended, by the clock's monotonic time, and how many receivers it had. */
  #flushedAt = -Infinity;
  #receivers = 0;
  #order = 0;
  readonly #waiting = new Set<Waiting>();

  constructor(options: FanOutOptions) {
    this.#options = options;
    this.#stopListening = options.tail.onPush((entries) => this.#gather(entries));
  }

  /** Whether a flush is under way; then no connection may go live. */
  get isBusy(): boolean {
    return this.#walk !== undefined || this.#isGathering;
  }

  /** The seq up to which live receivers have everything, except the batch of a flush under way. */
  get pushed(): number {
    return this.#walk?.from ?? this.#beforePending();
  }

  /** The seq up to which a live receiver has everything if the flush under way has no batch for it. */
  get settled(): number {
    return this.#walk?.seq ?? this.#beforePending();
  }

  /** How far a connection that reads may go: not beyond a flush under way, or it could not join at its end. */
  get readable(): number {
    return this.#walk?.seq ?? this.#options.tail.head;
  }

  #beforePending(): number {
    const [first] = this.#pending;
    return first === undefined ? this.#options.tail.head : first.seq - 1;
  }

  /** Entries that wait for the next flush. The list doesn't change when others come. */
  get pending(): readonly LogEntry[] {
    this.#shown ??= [...this.#pending];
    return this.#shown;
  }

  /** The batch of the flush under way that this live receiver has not been given yet. */
  owedTo(receiver: Receiver, subscription: Subscription): Batch | undefined {
    const walk = this.#walk;
    if (walk === undefined) return undefined;
    const at = placeIn(walk, subscription);
    const isReached = at < walk.index || (at === walk.index && receiver.order <= walk.order);
    return isReached ? undefined : walk.batches[at];
  }

  /** Whether the flush under way has a batch for the subscription. */
  isFor(subscription: Subscription): boolean {
    return this.#walk !== undefined && placeIn(this.#walk, subscription) >= 0;
  }

  /** The next receiver's `order`. */
  nextOrder(): number {
    this.#order += 1;
    return this.#order;
  }

  /** Tells the connection when the flush under way has ended. */
  whenDone(waiting: Waiting): void {
    this.#waiting.add(waiting);
  }

  /**
   * Pushes the pending entries.
   *
   * @returns true once it has been pushed; false if that takes more turns, or a flush was under way.
   */
  flush(): boolean {
    if (this.#walk !== undefined) return false;
    let left = this.#pending.length;
    while (left > 0) {
      const { entries, isLarge } = this.#begin();
      left -= entries;
      if (!this.#advance(this.#options.tuning.slice)) return false;
      // The end of the flush has seen to it.
      if (isLarge && left > 0) return false;
    }
    return true;
  }

  /** Pushes all pending entries in this turn, however long it takes. */
  pushAll(): void {
    this.#finish();
    // A receiver that is being pushed to can't wait for the end of the push.
    while (!this.#isPushing && !this.flush()) this.#finish();
  }

  stop(): void {
    this.#stopListening();
    this.pushAll();
  }

  #gather(entries: readonly LogEntry[]): void {
    const isWithin = this.#isGathering;
    this.#isGathering = true;
    for (const entry of entries) {
      if (this.#pending.length === 0) this.#schedule();
      this.#pending.push(entry);
      this.#shown = undefined;
      this.#pendingLength += entry.data.length;
      // Within the loop: one append may bring far more than a slow peer's buffer should take.
      if (this.#holds(1) && !this.flush() && this.#holds(PATIENCE)) this.#finish();
    }
    this.#isGathering = isWithin;
    this.#wake();
  }

  #holds(times: number): boolean {
    return (
      this.#pending.length >= times * MAX_PENDING_EVENTS || this.#pendingLength >= times * MAX_PENDING_LENGTH
    );
  }

  #schedule(): void {
    const { clock, window } = this.#options;
    this.#pendingSince = clock.monotonic();
    const isQuiet = this.#receivers <= FEW && this.#pendingSince - this.#flushedAt >= QUIET;
    const flush = (): void => {
      this.#cancelTimer = undefined;
      this.flush();
    };
    if (window > 0) this.#cancelTimer = clock.setTimer(flush, window);
    else if (isQuiet && clock.soon !== undefined) clock.soon(flush);
    else clock.defer(flush);
  }

  /** Begins to flush as many pending entries as may go into one write. @returns how many, and whether in slices. */
  #begin(): { readonly entries: number; readonly isLarge: boolean } {
    const { clock, tail, counters, tuning } = this.#options;
    const since = this.#pendingSince;
    const taken = this.#take();
    const now = clock.monotonic();
    const encode = createEncoder(tail.epoch);
    let receivers = 0;
    const { entries, touched, pairs } = this.#match(taken);
    this.#putBack(taken.slice(entries));
    const seq = taken[entries - 1]?.seq ?? tail.head;
    const batches = touched.map((subscription) => {
      const { batch: found } = subscription;
      subscription.batch = [];
      receivers += subscription.live.size;
      return new Batch(subscription, found, { seq, at: now, encode, counters });
    });
    this.#receivers = receivers;
    const from = (taken[0]?.seq ?? seq + 1) - 1;
    const isLarge = receivers > tuning.slicedFrom || pairs > tuning.slicedPairs;
    this.#walk = {
      batches,
      places: undefined,
      from,
      seq,
      at: now,
      since,
      isLarge,
      left: tuning.lookEvery,
      index: 0,
      iterator: undefined,
      order: 0,
    };
    return { entries, isLarge };
  }

  #take(): readonly LogEntry[] {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#shown = undefined;
    let count = 0;
    for (let length = 0; count < Math.min(this.#pending.length, MAX_PENDING_EVENTS); count += 1) {
      if (length >= MAX_PENDING_LENGTH) break;
      length += this.#pending[count]?.data.length ?? 0;
      this.#pendingLength -= this.#pending[count]?.data.length ?? 0;
    }
    if (count < this.#pending.length) return this.#pending.splice(0, count);
    const all = this.#pending;
    this.#pending = [];
    return all;
  }

  #putBack(entries: readonly LogEntry[]): void {
    if (entries.length === 0) return;
    this.#pending = [...entries, ...this.#pending];
    this.#shown = undefined;
    for (const { data } of entries) this.#pendingLength += data.length;
  }

  /**
   * Gives each subscription with a live receiver its entries: fewer than all, if so many subscriptions get some that it
   * would take long. @returns how many entries, the subscriptions that got some, and how many pairs of both.
   */
  #match(entries: readonly LogEntry[]): Matched {
    const { mostPairs } = this.#options.tuning;
    const touched: Subscription[] = [];
    let pairs = 0;
    for (const [i, entry] of entries.entries()) {
      if (pairs >= mostPairs) return { entries: i, touched, pairs };
      for (const subscription of this.#options.subscriptions.index.match(entry.topics)) {
        if (subscription.live.size === 0 || !mayRead(subscription, entry)) continue;
        if (subscription.batch.length === 0) touched.push(subscription);
        subscription.batch.push(entry);
        pairs += 1;
      }
    }
    return { entries: entries.length, touched, pairs };
  }

  /** Pushes to all receivers; if the flush is large, for some milliseconds. @returns whether all were reached. */
  #advance(milliseconds: number): boolean {
    const walk = this.#walk;
    if (walk === undefined || this.#isPushing) return false;
    const { clock, tuning } = this.#options;
    const deadline = walk.isLarge ? clock.monotonic() + milliseconds : Infinity;
    this.#isPushing = true;
    try {
      for (; walk.index < walk.batches.length; walk.index += 1) {
        const isDone = deadline === Infinity ? this.#pushEach(walk) : this.#pushUntil(walk, deadline);
        if (!isDone) {
          // Should it be finished early, the next flush has turns of its own.
          clock.defer(() => this.#walk === walk && this.#advance(tuning.slice));
          return false;
        }
        walk.iterator = undefined;
        walk.order = 0;
      }
    } finally {
      this.#isPushing = false;
    }
    this.#end(walk);
    return true;
  }

  #pushEach(walk: Walk): true {
    const batch = walk.batches[walk.index] as Batch;
    const { subscription, seq, at } = batch;
    const output = outputOf(batch);
    if (output === undefined) return true;
    for (const receiver of walk.iterator ?? subscription.live) {
      walk.order = receiver.order;
      receiver.push(output, seq, at);
    }
    return true;
  }

  #pushUntil(walk: Walk, deadline: number): boolean {
    const { clock, tuning } = this.#options;
    const batch = walk.batches[walk.index] as Batch;
    const { subscription, seq, at, events, isGiven } = batch;
    const output = outputOf(batch);
    if (output === undefined) return true;
    if (!isGiven) walk.left -= Math.floor(events / EVENTS_LIKE_A_WRITE);
    const cost = 1 + Math.floor(output.length / BYTES_LIKE_A_WRITE);
    // Leaving the loop doesn't end the iterator: those of a Set have no `return`.
    walk.iterator ??= subscription.live.values();
    for (const receiver of walk.iterator) {
      walk.order = receiver.order;
      receiver.push(output, seq, at);
      walk.left -= cost;
      if (walk.left > 0) continue;
      walk.left = tuning.lookEvery;
      if (clock.monotonic() >= deadline) return false;
    }
    return true;
  }

  /** Does the rest of the flush under way at once. */
  #finish(): void {
    this.#advance(Infinity);
  }

  #end(walk: Walk): void {
    const { clock, counters, deliveryTime } = this.#options;
    this.#walk = undefined;
    counters.flushes += 1;
    this.#flushedAt = clock.monotonic();
    const took = this.#flushedAt - walk.since;
    this.lag.add(took);
    deliveryTime.add(took);
    this.#wake();
    // Its own turn to flush came while this one was under way.
    if (this.#pending.length > 0 && this.#cancelTimer === undefined) clock.defer(() => this.flush());
  }

  #wake(): void {
    if (this.isBusy || this.#waiting.size === 0) return;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const each of waiting) each.flushed();
  }
}

/** Undefined if the format throws, which takes down its connections. */
function outputOf(batch: Batch): Output | undefined {
  try {
    return batch.give();
  } catch (error) {
    for (const receiver of batch.subscription.live) receiver.fail(error);
    return undefined;
  }
}

function placeIn(walk: Walk, subscription: Subscription): number {
  if (walk.places === undefined) {
    walk.places = new Map();
    for (const [i, batch] of walk.batches.entries()) walk.places.set(batch.subscription, i);
  }
  return walk.places.get(subscription) ?? -1;
}
