import type { Timers } from './options.ts';

/**
 * Waits no longer than `limit` milliseconds: what is waited for may never come, and may not heed a signal. Once `signal`
 * is aborted, nobody waits any more.
 *
 * @throws what `late` makes, after the time.
 */
export function within<T>(
  timers: Timers,
  limit: number,
  promise: T | Promise<T>,
  late: () => Error,
  signal: AbortSignal,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = timers.setTimer(() => reject(late()), limit);
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
    function stop(): void {
      cancel();
      signal.removeEventListener('abort', stop);
    }
    Promise.resolve(promise).then(resolve, reject).finally(stop);
  });
}

/** Never ends once `signal` is aborted. */
export function pause(timers: Timers, delay: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', timers.setTimer(resolve, delay)));
}
