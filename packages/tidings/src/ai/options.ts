import { type Clock, systemClock } from '../hub/clock.ts';
import { type Checks, aFunction, aNumber, anObjectWith, assertOptions } from '../protocol/options.ts';
import { mergeDeltas } from './merge.ts';
import type { RunRecord } from './record.ts';

/** The argument of `onEnd`: the run and its whole answer. */
export interface RunResult extends Omit<RunRecord, 'owner' | 'length' | 'handingOver' | 'handedOver'> {
  /** All chunks, adjacent deltas merged. */
  readonly chunks: readonly unknown[];
  /** The text of the answer. */
  readonly text: string;
}

/** Durations in milliseconds. */
export interface RunsOptions {
  /** How long an answer can be followed after its end. Default 600,000. */
  readonly keep?: number;
  /** How long a run may take; then it fails with `run/too-long`. Default 600,000. */
  readonly maxDuration?: number;
  /** How long a run goes on while nobody watches it. Default 60,000; `Infinity`: to its end. */
  readonly abandonAfter?: number;
  /** How many characters the chunks of a run may have, as JSON; then it fails with `run/too-large`. Default 4,194,304. */
  readonly maxLength?: number;
  /** How many runs of one `subject` may be running. Default 10. */
  readonly perSubject?: number;
  /** How long deltas of text are gathered before they become one event. The first one leaves at once. Default 40. */
  readonly mergeWindow?: number;
  /** Two adjacent chunks as one, or undefined if they can't be merged. Default: the formats that the views know. */
  readonly merge?: (a: unknown, b: unknown) => unknown;
  /** How long after a process died its runs count as `lost`. Default 10,000. */
  readonly lease?: number;
  /** How long a stream may stay quiet before a comment is sent. Default 15,000. */
  readonly heartbeat?: number;
  /**
   * Whether the request may follow and stop the runs of the chat. The handlers `follow` and `stop` need it. Return
   * true, or throw `unauthorized()` or `forbidden()`.
   */
  readonly authorize?: (request: never, chat: string) => boolean | Promise<boolean>;
  /**
   * Receives the whole answer, to store it. Called once for each run, by one process. If it throws, or the process
   * dies meanwhile, it is called again: write with the run's id.
   */
  readonly onEnd?: (result: RunResult) => void | Promise<void>;
  /** The text that viewers get when a producer throws. Default: says only that the answer failed. */
  readonly errorText?: (error: unknown) => string;
  /** Receives errors that no caller waits for, such as those of producers. Default: logs them to the console. */
  readonly onError?: (error: unknown) => void;
  readonly clock?: Clock;
}

export type ResolvedRunsOptions = Required<Omit<RunsOptions, 'authorize' | 'onEnd'>> & {
  readonly [Name in 'authorize' | 'onEnd']: RunsOptions[Name] | undefined;
};

const duration = aNumber({ min: 1, finite: true });

export const RUNS_OPTIONS: Checks<RunsOptions> = {
  keep: duration,
  maxDuration: duration,
  abandonAfter: aNumber({ min: 1 }),
  maxLength: aNumber({ min: 1 }),
  perSubject: aNumber({ min: 1 }),
  mergeWindow: aNumber({ min: 0, finite: true }),
  merge: aFunction,
  lease: aNumber({ min: 100, finite: true }),
  heartbeat: duration,
  authorize: aFunction,
  onEnd: aFunction,
  errorText: aFunction,
  onError: aFunction,
  clock: anObjectWith('a clock', 'now', 'monotonic', 'setTimer', 'defer'),
};

/** @throws {TidingsError} `hub/invalid-option` naming the option. */
export function resolveRunsOptions(given: RunsOptions): ResolvedRunsOptions {
  assertOptions(given, RUNS_OPTIONS);
  return {
    keep: given.keep ?? 600_000,
    maxDuration: given.maxDuration ?? 600_000,
    abandonAfter: given.abandonAfter ?? 60_000,
    maxLength: given.maxLength ?? 4_194_304,
    perSubject: given.perSubject ?? 10,
    mergeWindow: given.mergeWindow ?? 40,
    merge: given.merge ?? mergeDeltas,
    lease: given.lease ?? 10_000,
    heartbeat: given.heartbeat ?? 15_000,
    authorize: given.authorize,
    onEnd: given.onEnd,
    errorText: given.errorText ?? (() => 'The answer failed.'),
    onError: given.onError ?? ((error: unknown) => console.error('tidings:', error)),
    clock: given.clock ?? systemClock,
  };
}
