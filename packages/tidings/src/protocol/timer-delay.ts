/** The longest delay that `setTimeout` takes, in milliseconds; it makes 1 ms of a longer one. */
export const MAX_DELAY: number = 2 ** 31 - 1;

/** A delay that `setTimeout` takes as it is meant. Node 24 warns of a negative one. */
export function timerDelay(milliseconds: number): number {
  return Math.min(Math.max(0, milliseconds), MAX_DELAY);
}
