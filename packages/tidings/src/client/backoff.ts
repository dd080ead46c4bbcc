export interface RetryPolicy {
  /** Milliseconds: the most that chance adds to the first wait. */
  readonly base: number;
  /** Milliseconds: the most that any wait may take, unless the server asks for more. */
  readonly max: number;
  /** How often in a row to try again without a connection that lasted; then the client fails. */
  readonly attempts: number;
}

export const DEFAULT_RETRY: RetryPolicy = { base: 1_000, max: 30_000, attempts: Infinity };

/** Milliseconds: with a longer delay, timers of browsers and of Node fire at once. */
export const MAX_DELAY: number = 2 ** 31 - 1;

/** Milliseconds: no server sends a client away for longer than that. */
export const MAX_ASKED: number = 3_600_000;

/** Above this, doubling changes nothing any more. */
const MAX_DOUBLINGS = 31;

/**
 * Milliseconds to wait: what the server asked for, and on top of it anything from nothing up to an exponentially growing
 * limit. With this full jitter, clients which lost one server together don't come back together.
 * https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 *
 * @param failures in a row before this one.
 * @param asked the least to wait. More than an hour counts as an hour.
 * @param dice from 0 up to, but not including, 1.
 */
export function backoff(policy: RetryPolicy, failures: number, asked: number, dice: number): number {
  const least = Math.min(asked, MAX_ASKED);
  const limit = Math.min(policy.base * 2 ** Math.min(failures, MAX_DOUBLINGS), policy.max);
  return Math.min(Math.floor(least + dice * limit), Math.max(policy.max, least + policy.base), MAX_DELAY);
}
