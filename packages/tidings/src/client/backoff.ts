import { MAX_DELAY } from '../protocol/timer-delay.ts';

export interface RetryPolicy {
  /** Milliseconds: the most that jitter adds to the first wait. */
  readonly base: number;
  /** Milliseconds: the most that any wait may take, unless the server asks for more. */
  readonly max: number;
  /** How many times in a row to retry without a connection that lasts; then the client fails. */
  readonly attempts: number;
}

export const DEFAULT_RETRY: RetryPolicy = { base: 1_000, max: 30_000, attempts: Infinity };

/** Milliseconds: the longest wait that a server may ask for. */
export const MAX_ASKED: number = 3_600_000;

/** Beyond this, doubling makes no difference. */
const MAX_DOUBLINGS = 31;

/**
 * Milliseconds to wait: the time that the server asked for, plus a random part between zero and an exponentially
 * growing limit. This full jitter keeps clients that lost a server together from coming back together.
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
