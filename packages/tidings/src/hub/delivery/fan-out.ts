import type { Clock } from '../clock.ts';
import { LagSamples } from './lag-samples.ts';
import { type Subscription, type Subscriptions, mayRead } from './subscription.ts';
import { joinFrames } from './frames.ts';
import type { LogEntry } from '../../log/entry.ts';
import type { Tail } from '../../log/tail.ts';

/** Past these, a flush doesn't wait for the tick's end: a loop that only publishes must not outgrow memory. */
const MAX_PENDING_EVENTS = 1024;
const MAX_PENDING_LENGTH = 262_144;

export interface FanOutOptions {
  readonly tail: Tail;
  readonly subscriptions: Subscriptions;
  readonly clock: Clock;
  readonly counters: { delivered: number; bytes: number; flushes: number };
  /** Milliseconds to gather events before a flush; 0: until the end of the tick. */
  readonly window: number;
}

/**
 * Pushes what is appended to the connections at the head. All that was appended in one tick goes out in one flush:
 * matched once for each subscription, put together once, one write for each connection.
 */
export class FanOut {
  readonly lag: LagSamples = new LagSamples();
  readonly #options: FanOutOptions;
  readonly #stopListening: () => void;
  #pending: LogEntry[] = [];
  #pendingLength = 0;
  #pendingSince = 0;
  #flushing = false;
  #cancelTimer: (() => void) | undefined;

  constructor(options: FanOutOptions) {
    this.#options = options;
    this.#stopListening = options.tail.onPush((entries) => this.#gather(entries));
  }

  /** @returns false if called while a flush runs, true once everything appended has been pushed. */
  flush(): boolean {
    if (this.#flushing) return false;
    const entries = this.#pending;
    const newest = entries.at(-1);
    if (newest === undefined) return true;
    const { clock, counters } = this.#options;
    this.#pending = [];
    this.#pendingLength = 0;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#flushing = true;
    try {
      this.#push(this.#match(entries), newest.seq, clock.monotonic());
    } finally {
      this.#flushing = false;
    }
    counters.flushes += 1;
    this.lag.add(clock.monotonic() - this.#pendingSince);
    return true;
  }

  stop(): void {
    this.#stopListening();
    this.flush();
  }

  #gather(entries: readonly LogEntry[]): void {
    for (const entry of entries) {
      if (this.#pending.length === 0) this.#schedule();
      this.#pending.push(entry);
      this.#pendingLength += entry.data.length;
      // Within the loop: what is appended at once may be far more than a slow peer's buffer should hold.
      if (this.#pending.length >= MAX_PENDING_EVENTS || this.#pendingLength >= MAX_PENDING_LENGTH)
        this.flush();
    }
  }

  #schedule(): void {
    const { clock, window } = this.#options;
    this.#pendingSince = clock.monotonic();
    if (window > 0) this.#cancelTimer = clock.setTimer(() => this.flush(), window);
    else clock.defer(() => this.flush());
  }

  /** Gives each subscription with someone live its batch. @returns those that got one. */
  #match(entries: readonly LogEntry[]): Subscription[] {
    const touched: Subscription[] = [];
    for (const entry of entries) {
      for (const subscription of this.#options.subscriptions.index.match(entry.topics)) {
        if (subscription.live.size === 0 || !mayRead(subscription, entry)) continue;
        if (subscription.batch.length === 0) touched.push(subscription);
        subscription.batch.push(entry);
      }
    }
    return touched;
  }

  #push(subscriptions: readonly Subscription[], seq: number, now: number): void {
    const { tail, counters } = this.#options;
    let lastBatch: readonly LogEntry[] = [];
    let bytes: Uint8Array = new Uint8Array();
    for (const subscription of subscriptions) {
      const { batch, live, pushed } = subscription;
      subscription.batch = [];
      if (!isSame(batch, lastBatch)) {
        bytes = joinFrames(batch, tail.epoch);
        lastBatch = batch;
      }
      counters.delivered += batch.length * live.size;
      counters.bytes += bytes.length * live.size;
      pushed.bytes += bytes.length;
      pushed.at = now;
      for (const receiver of live) receiver.push(bytes, seq, now);
    }
  }
}

/** Subscriptions often differ in topics nobody published to just now; their batches are then the same. */
function isSame(a: readonly LogEntry[], b: readonly LogEntry[]): boolean {
  return a.length === b.length && a.every((entry, i) => entry === b[i]);
}
