import type { Timers } from './timers.ts';

/**
 * Waits for the promise, but no longer than `limit` milliseconds: it may never settle, and may ignore a signal. The
 * limit ends with an abort of `signal`, when nobody waits any more.
 *
 * @throws the error that `late` makes, once the time is up.
 */
export function within<T>(
  timers: Timers,
  limit: number,
  promise: T | Promise<T>,
  late: () => Error,
  signal: AbortSignal,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = timers.setTimer(() => reject(late()), limit);
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
    Promise.resolve(promise).then(resolve, reject).finally(stop);
  });
}

/** Never ends once `signal` is aborted. */
export function pause(timers: Timers, delay: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', timers.setTimer(resolve, delay)));
}
