import type { MatcherSet } from '../../protocol/matcher-set.ts';

/** How work is cut into pieces, to keep each turn of the event loop short. Tests make the pieces smaller. */
export interface Tuning {
  /** Milliseconds of each turn that all connections together spend on catching up. */
  readonly catchUp: number;
  /** A flush to more receivers than this is done in slices. */
  readonly slicedFrom: number;
  /** Entries given to more subscriptions than that, before a flush goes on with these: as many take about 3 ms. */
  readonly pairs: number;
  /** Milliseconds of a slice, and receivers after which the time is looked at. */
  readonly slice: number;
  readonly lookEvery: number;
}

/** Entries to look at for one page if they are compared with topics alone; each pattern adds comparisons. */
const LOOKS = 10_000;

export function looksFor({ patterns }: MatcherSet): number {
  let each = 1;
  for (const { looks = 1 } of patterns) each += looks;
  return Math.ceil(LOOKS / each);
}

export const TUNING: Tuning = { catchUp: 5, slicedFrom: 500, pairs: 50_000, slice: 5, lookEvery: 32 };
