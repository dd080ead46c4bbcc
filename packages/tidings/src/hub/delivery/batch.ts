import type { LogEntry } from '../../log/entry.ts';
import type { Format } from './format.ts';
import type { Output } from './sink.ts';
import type { Subscription } from './subscription.ts';

/** The parts of a flush that its batches need. */
interface Flush {
  readonly seq: number;
  /** When it began, by the clock's monotonic time. */
  readonly at: number;
  readonly encode: Encode;
  readonly counters: { delivered: number; bytes: number };
}

type Encode = (format: Format, entries: readonly LogEntry[]) => Output;

/**
 * A flush's entries for the live receivers of one subscription. They are encoded, and counted as given to all of them,
 * when the first is reached: with a format of its own for each of ten thousand subscriptions, that takes several turns.
 */
export class Batch {
  readonly subscription: Subscription;
  readonly #entries: readonly LogEntry[];
  readonly #flush: Flush;
  #output: Output | undefined;
  #isGiven = false;

  constructor(subscription: Subscription, entries: readonly LogEntry[], flush: Flush) {
    this.subscription = subscription;
    this.#entries = entries;
    this.#flush = flush;
  }

  get events(): number {
    return this.#entries.length;
  }

  get seq(): number {
    return this.#flush.seq;
  }

  get at(): number {
    return this.#flush.at;
  }

  /** Whether it has been counted. */
  get isGiven(): boolean {
    return this.#isGiven;
  }

  /** For one receiver, which counts it itself. */
  get output(): Output {
    return (this.#output ??= this.#flush.encode(this.subscription.format, this.#entries));
  }

  /** The output for all live receivers, counted once. */
  give(): Output {
    const { output } = this;
    if (this.#isGiven) return output;
    this.#isGiven = true;
    const { live, pushed } = this.subscription;
    const { at, counters } = this.#flush;
    counters.delivered += this.#entries.length * live.size;
    counters.bytes += output.length * live.size;
    pushed.bytes += output.length;
    pushed.events += this.#entries.length;
    pushed.at = at;
    return output;
  }
}

/** Subscriptions often differ only in topics without new events; they get the same bytes. */
export function createEncoder(epoch: string): Encode {
  let last:
    | { readonly format: Format; readonly entries: readonly LogEntry[]; readonly output: Output }
    | undefined;
  return (format, entries) => {
    if (last?.format === format && isSame(last.entries, entries)) return last.output;
    last = { format, entries, output: format.events(entries, epoch, true) };
    return last.output;
  };
}

function isSame(a: readonly LogEntry[], b: readonly LogEntry[]): boolean {
  return a.length === b.length && a.every((entry, i) => entry === b[i]);
}
