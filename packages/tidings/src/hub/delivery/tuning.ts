import type { MatcherSet } from '../../protocol/matcher-set.ts';

/** How work is cut into pieces, to keep each turn of the event loop short. Tests make the pieces smaller. */
export interface Tuning {
  /** Milliseconds of each turn that all connections together spend on catching up. */
  readonly catchUp: number;
  /** A flush to more receivers, or of more pairs of an entry and a subscription that gets it, is done in slices. */
  readonly slicedFrom: number;
  readonly slicedPairs: number;
  /** Pairs beyond which later entries have to wait for the next flush: as many take about 3 ms. */
  readonly mostPairs: number;
  /** Milliseconds of a slice, and writes after which the time is looked at. */
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

export const TUNING: Tuning = {
  catchUp: 5,
  slicedFrom: 50,
  slicedPairs: 2000,
  mostPairs: 50_000,
  slice: 5,
  lookEvery: 32,
};
