import { timerDelay } from '../protocol/timer-delay.ts';

/** Time, as the client sees it. */
export interface Timers {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls `task` once after `delay` milliseconds. @returns a function that cancels it. */
  setTimer(task: () => void, delay: number): () => void;
}

export const systemTimers: Timers = {
  now: () => Date.now(),
  setTimer(task, delay) {
    const timer = setTimeout(task, timerDelay(delay));
    return () => clearTimeout(timer);
  },
};
