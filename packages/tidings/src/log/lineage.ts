import type { Cursor } from '../protocol/cursor.ts';

/** An epoch that has ended. */
export interface PastEpoch {
  readonly epoch: string;
  /** The last seq that the epoch after it has, too. What this one gave out beyond is lost. */
  readonly end: number;
}

/** The epochs before a log's own, oldest first. Each goes on where the one before it ended. */
export type Lineage = readonly PastEpoch[];

/** Enough for years of failovers. A cursor of an epoch that is forgotten counts as foreign. */
const MAX_EPOCHS = 200;

/** The lineage once `epoch` has ended at `end`, and another one has begun there. */
export function extendLineage(lineage: Lineage, epoch: string, end: number): Lineage {
  return [...lineage, { epoch, end }].slice(-MAX_EPOCHS);
}

/** A log as a cursor sees it. */
export interface Descent {
  /** The log's own epoch, and its newest seq. */
  readonly epoch: string;
  readonly head: number;
  readonly lineage: Lineage;
}

/**
 * Where a cursor stands:
 * - `known`: everything up to its seq is what this log has, too.
 * - `rewound`: it was given something that the log has lost since; both have the same up to `seq`.
 * - `ahead`: of this epoch, and beyond the head.
 * - `foreign`: of no epoch that the log descends from.
 */
export type Standing =
  | { readonly is: 'known' | 'rewound' | 'ahead'; readonly seq: number }
  | { readonly is: 'foreign' };

export function locate({ epoch, seq }: Cursor, { epoch: own, head, lineage }: Descent): Standing {
  if (epoch === own) return { is: seq > head ? 'ahead' : 'known', seq };
  const index = lineage.findIndex((past) => past.epoch === epoch);
  if (index === -1) return { is: 'foreign' };
  // A later epoch may have lost some of what this one had handed on.
  const end = Math.min(...lineage.slice(index).map((past) => past.end));
  return seq > end ? { is: 'rewound', seq: end } : { is: 'known', seq };
}
