import { inNextTurn } from '../log/next-turn.ts';
import { timerDelay } from '../protocol/timer-delay.ts';

/** Time, as the hub sees it. Tests pass a clock that they turn by hand. */
export interface Clock {
  /** Milliseconds since 1970, for stamps that people or other machines read. May jump. */
  now(): number;
  /** Milliseconds since some moment, for durations. Never goes back. */
  monotonic(): number;
  /**
   * Calls `task` once after `delay` milliseconds. In the background, it doesn't keep the process running.
   * @returns a function that cancels it.
   */
  setTimer(task: () => void, delay: number, inBackground?: boolean): () => void;
  /** Calls `task` once, after the running code and any waiting input have had their turn. */
  defer(task: () => void): void;
  /** Calls `task` once, as soon as the running code has returned. Without this, `defer` does it. */
  soon?(task: () => void): void;
}

const returned = Promise.resolve();

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer(task, delay, inBackground = false) {
    const timer: unknown = setTimeout(task, timerDelay(delay));
    // Browsers and workers have numbers for timers.
    if (inBackground) (timer as { unref?: () => void }).unref?.();
    return () => clearTimeout(timer as ReturnType<typeof setTimeout>);
  },
  defer: inNextTurn,
  // A fifth of the time that `queueMicrotask` takes, which makes a resource for each call (`latency`).
  soon: (task) => void returned.then(task),
};
