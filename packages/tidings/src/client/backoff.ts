export interface RetryPolicy {
  /** Milliseconds: the most that the first wait may take. */
  readonly base: number;
  /** Milliseconds: the most that any wait may take, unless the server asks for more. */
  readonly max: number;
  /** How often in a row to try again without a single frame in between; then the client fails. */
  readonly attempts: number;
}

export const DEFAULT_RETRY: RetryPolicy = { base: 1_000, max: 30_000, attempts: Infinity };

/** Milliseconds: with a longer delay, timers of browsers and of Node fire at once. */
export const MAX_DELAY: number = 2 ** 31 - 1;

/** Above this, doubling changes nothing any more. */
const MAX_DOUBLINGS = 31;

/**
 * Milliseconds to wait, with full jitter: anything from nothing up to an exponentially growing limit, so that
 * clients which lost one server together don't come back together.
 * https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 *
 * @param failures in a row before this one.
 * @param asked the server's `retry:`, which raises the base, and the maximum if need be.
 * @param dice from 0 up to, but not including, 1.
 */
export function backoff(policy: RetryPolicy, failures: number, asked: number, dice: number): number {
  const base = Math.min(Math.max(policy.base, asked), MAX_DELAY);
  const limit = Math.min(
    base * 2 ** Math.min(failures, MAX_DOUBLINGS),
    Math.max(policy.max, base),
    MAX_DELAY,
  );
  return Math.floor(dice * limit);
}
