/** A state that comes as snapshots and deltas, each with the version it leads to. */
export interface Versioned {
  readonly version: number;
}

/**
 * Whether a page still has to apply a delta. After a reconnect a snapshot comes first and older
 * deltas, which it already contains, may follow it. Without a snapshot there is nothing to apply one to.
 */
export function isNews(have: Versioned | undefined, delta: Versioned): boolean {
  return have !== undefined && delta.version > have.version;
}
