import { type RecordableHistogram, createHistogram } from 'node:perf_hooks';

/** A group of readers' totals since the last reset. */
export interface Tally {
  readonly latency: RecordableHistogram;
  received: number;
  /** How many events a reader has to get, and how many readers have. */
  target: number;
  complete: number;
  onComplete: (() => void) | undefined;
  /** Of how many events the latency of one is taken, and after how many it is the next one's turn. */
  every: number;
  untilSample: number;
  /** How many were to be taken. */
  samples: number;
  /** Connections that the subject has ended. */
  lost: number;
}

/** In µs: later events count as two minutes late. */
const HIGHEST = 120e6;

export function createTally(): Tally {
  return {
    latency: createHistogram({ lowest: 1, highest: HIGHEST, figures: 3 }),
    received: 0,
    target: Infinity,
    complete: 0,
    onComplete: undefined,
    every: 1,
    untilSample: 1,
    samples: 0,
    lost: 0,
  };
}

export function recordLatency(tally: Tally, microseconds: number): void {
  tally.latency.record(Math.min(HIGHEST, Math.max(1, microseconds)));
}

export function resetTally(tally: Tally, every: number): void {
  tally.latency.reset();
  tally.received = 0;
  tally.target = Infinity;
  tally.complete = 0;
  tally.every = every;
  tally.untilSample = every;
  tally.samples = 0;
}
