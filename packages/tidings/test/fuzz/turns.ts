import { openSync, readSync } from 'node:fs';

/** Watches how long the event loop is busy at a time. */
export interface TurnWatch {
  start(): void;
  /** @returns the longest turn since then: milliseconds of CPU, up to `EVERY` too much. */
  stop(): number;
}

/** Milliseconds between two looks. */
const EVERY = 5;

/**
 * The CPU that the main thread took from one look to the next is at least that of the longest turn between them. It says
 * the same on a busy machine, where a turn lasts longer for having to wait for a core; and looking takes next to nothing.
 */
export function createTurnWatch(): TurnWatch {
  const spent = openSpent();
  let timer: NodeJS.Timeout | undefined;
  let longest = 0;
  let last = 0;

  function look(): void {
    const now = spent();
    longest = Math.max(longest, now - last);
    last = now;
  }

  return {
    start() {
      longest = 0;
      last = spent();
      timer ??= setInterval(look, EVERY);
    },
    stop() {
      clearInterval(timer);
      timer = undefined;
      return longest;
    },
  };
}

/** Milliseconds of CPU that the main thread has taken; elsewhere than on Linux, those of the clock. */
function openSpent(): () => number {
  if (process.platform !== 'linux') return () => performance.now();
  const file = openSync('/proc/self/schedstat', 'r');
  const buffer = Buffer.alloc(64);
  // https://docs.kernel.org/scheduler/sched-stats.html: the time on the core comes first, in ns.
  return () => Number(buffer.toString('latin1', 0, readSync(file, buffer, 0, 64, 0)).split(' ', 1)[0]) / 1e6;
}
