/** Time as the app sees it. Tests pass a clock that they turn by hand. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls `task` once after `delay` milliseconds. @returns a function that cancels it. */
  setTimer(task: () => void, delay: number): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  setTimer(task, delay) {
    // Unreferenced: the server's socket keeps the process alive, and nothing else should delay its end.
    const timer = setTimeout(task, delay).unref();
    return () => clearTimeout(timer);
  },
};

/** Calls `task` every `interval` milliseconds. @returns a function that stops it. */
export function repeat(clock: Clock, task: () => void, interval: number): () => void {
  let cancel = clock.setTimer(again, interval);
  function again(): void {
    cancel = clock.setTimer(again, interval);
    task();
  }
  return () => cancel();
}

/**
 * Numbers that grow with every call, even from one process to the next (unless the clock was set back). A page that
 * still has data from before a restart can see which is newer.
 */
export function createVersions(clock: Clock): () => number {
  let last = 0;
  return () => {
    last = Math.max(last + 1, clock.now());
    return last;
  };
}
