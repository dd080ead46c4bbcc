/** A socket, or a stream or session of HTTP/2. */
export interface Timed {
  /** Milliseconds; 0 or undefined: none. The types of HTTP/2 don't have it. */
  readonly timeout?: number;
  setTimeout(milliseconds: number): unknown;
}

/** Starts its timeout anew, if it has one. @returns whether it has. */
export function restart(timed: Timed | undefined): boolean {
  if (!timed?.timeout) return false;
  timed.setTimeout(timed.timeout);
  return true;
}

/**
 * Whether the app has given it a timeout, which doesn't notice writes to the handle beneath. To ask at each write costs
 * a few percent of it (`fanout`), so a sink asks here once a second. A timeout that wasn't known starts anew: there may
 * have been writes since it was set.
 */
export function findTimeout(timed: Timed | undefined, isKnown: boolean): boolean {
  return isKnown ? Boolean(timed?.timeout) : restart(timed);
}
