import type { Timers } from '../../src/client/timers.ts';

/** Timers that end when the test says so. */
export interface ManualTimers extends Timers {
  readonly pending: number;
  run(): void;
}

export function manualTimers(): ManualTimers {
  const tasks = new Set<() => void>();
  return {
    now: () => 0,
    setTimer(task) {
      const own = (): void => task();
      tasks.add(own);
      return () => tasks.delete(own);
    },
    get pending() {
      return tasks.size;
    },
    run() {
      for (const task of [...tasks]) if (tasks.delete(task)) task();
    },
  };
}
