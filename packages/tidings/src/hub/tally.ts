import type { GapReason, GoodbyeReason } from '../protocol/control.ts';
import { errorCodes } from '../protocol/errors.ts';
import { TidingsError } from '../protocol/tidings-error.ts';

/** How a connection begins: without a cursor, with everything after its cursor, or with a gap. */
export type ConnectVerdict = 'new' | 'resumed' | 'gap';

/**
 * Why a connection is over: the goodbye that it got, or one of these. `left`: the peer closed it. `stalled`: the peer stopped
 * reading. `failed`: the hub couldn't go on with it; `onError` has the reason.
 */
export type EndReason = GoodbyeReason | 'left' | 'stalled' | 'failed';

/** How long something took, counted in steps, as a Prometheus histogram has it. */
export interface Durations {
  /** The steps' upper bounds, in milliseconds, included; the last step has none. */
  readonly bounds: readonly number[];
  /** How many there were in each step: one number more than bounds. */
  readonly counts: readonly number[];
  /** Of all, in milliseconds. */
  readonly sum: number;
}

/** A hub's counts since it was made, without the connections of its own process. */
export interface Tallies {
  readonly connects: Readonly<Record<ConnectVerdict, number>>;
  /** Connections that are over. */
  readonly ends: Readonly<Record<EndReason, number>>;
  /** Gaps reported to connections. */
  readonly gaps: Readonly<Record<GapReason, number>>;
  /** Connection attempts that were refused, and calls of `publish` and `publishAll` that failed, by error code. */
  readonly refused: Readonly<Record<string, number>>;
  readonly publishFailed: Readonly<Record<string, number>>;
  /** From the call of `publish` or `publishAll` until the log has the events. */
  readonly publishTime: Durations;
  /** From append to the last write of the flush: one for each flush. */
  readonly deliveryTime: Durations;
}

/** Milliseconds: from a push in memory to a loop or an engine in trouble. */
const BOUNDS = [0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000] as const;

/** Counts durations. Adding one costs a few comparisons and no memory. */
export class Stopwatch {
  readonly #counts: number[] = Array.from({ length: BOUNDS.length + 1 }, () => 0);
  #sum = 0;

  add(milliseconds: number): void {
    let step = 0;
    while (step < BOUNDS.length && milliseconds > (BOUNDS[step] as number)) step += 1;
    this.#counts[step] = (this.#counts[step] as number) + 1;
    this.#sum += milliseconds;
  }

  get durations(): Durations {
    return { bounds: BOUNDS, counts: [...this.#counts], sum: this.#sum };
  }
}

const known: ReadonlySet<string> = new Set(errorCodes);

/** A hub's counts by kind. */
export class Tally {
  readonly #connects = { new: 0, resumed: 0, gap: 0 };
  readonly #ends: Record<EndReason, number> = {
    left: 0,
    drain: 0,
    expired: 0,
    lifetime: 0,
    evicted: 0,
    wait: 0,
    stalled: 0,
    failed: 0,
  };
  readonly #gaps: Record<GapReason, number> = { trimmed: 0, epoch: 0, 'unknown-cursor': 0 };
  readonly #refused: Record<string, number> = {};
  readonly #publishFailed: Record<string, number> = {};
  readonly publishTime: Stopwatch = new Stopwatch();
  readonly deliveryTime: Stopwatch = new Stopwatch();

  connected(verdict: ConnectVerdict): void {
    this.#connects[verdict] += 1;
  }

  ended(reason: EndReason): void {
    this.#ends[reason] += 1;
  }

  gap(reason: GapReason): void {
    this.#gaps[reason] += 1;
  }

  refused(error: unknown): void {
    count(this.#refused, error);
  }

  publishFailed(error: unknown): void {
    count(this.#publishFailed, error);
  }

  get tallies(): Tallies {
    return {
      connects: { ...this.#connects },
      ends: { ...this.#ends },
      gaps: { ...this.#gaps },
      refused: { ...this.#refused },
      publishFailed: { ...this.#publishFailed },
      publishTime: this.publishTime.durations,
      deliveryTime: this.deliveryTime.durations,
    };
  }
}

/** An app may make up codes, so those that aren't in the table count together: the number of names stays bounded. */
function count(counts: Record<string, number>, error: unknown): void {
  const code = error instanceof TidingsError && known.has(error.code) ? error.code : 'other';
  counts[code] = (counts[code] ?? 0) + 1;
}
