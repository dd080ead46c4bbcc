/** A state that is told by snapshots and deltas, each with the version it leads to. */
export interface Versioned {
  readonly version: number;
}

/**
 * Whether a delta still has to be applied to what a page has. After a reconnect a snapshot comes first and older
 * deltas, which it already contains, may follow it. Without a snapshot there is nothing to apply one to.
 */
export function isNews(have: Versioned | undefined, delta: Versioned): boolean {
  return have !== undefined && delta.version > have.version;
}
