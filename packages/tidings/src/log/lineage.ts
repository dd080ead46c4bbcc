import type { Cursor } from '../protocol/cursor.ts';

/** An epoch that has ended. */
export interface PastEpoch {
  readonly epoch: string;
  /** The last seq that the next epoch has in common with it. Later events of this epoch are lost. */
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
 * - `known`: the log has the same events up to its seq.
 * - `rewound`: the log has since lost events before the cursor; both agree up to `seq`.
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
  // A later epoch may have lost events that this one still had.
  const end = Math.min(...lineage.slice(index).map((past) => past.end));
  return seq > end ? { is: 'rewound', seq: end } : { is: 'known', seq };
}
