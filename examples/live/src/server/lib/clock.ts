/** Time as the app sees it. Tests hand in one that they turn by hand. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls `task` once after `delay` milliseconds. @returns what cancels it. */
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

/** Calls `task` every `interval` milliseconds. @returns what ends that. */
export function repeat(clock: Clock, task: () => void, interval: number): () => void {
  let cancel = clock.setTimer(again, interval);
  function again(): void {
    cancel = clock.setTimer(again, interval);
    task();
  }
  return () => cancel();
}

/**
 * Numbers that grow with every call, also from one process to the next (unless the clock was set back), so
 * that whoever still holds something from before a restart can tell what is newer.
 */
export function createVersions(clock: Clock): () => number {
  let last = 0;
  return () => {
    last = Math.max(last + 1, clock.now());
    return last;
  };
}
