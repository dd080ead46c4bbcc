import type { Clock } from '../lib/clock.ts';

/** Time that stands still until a test turns it. */
export interface ManualClock extends Clock {
  /** Lets so many milliseconds pass and runs the tasks that fall due, in order. */
  advance(milliseconds: number): void;
  /** Lets so many milliseconds pass in one leap, as for a machine that slept: tasks due meanwhile run once. */
  sleep(milliseconds: number): void;
  /** Timers that are still to run. */
  readonly timers: number;
}

export function manualClock(start = 1_700_000_000_000): ManualClock {
  let now = start;
  const timers = new Set<{ at: number; task: () => void }>();

  return {
    now: () => now,
    setTimer(task, delay) {
      const timer = { at: now + delay, task };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    get timers() {
      return timers.size;
    },
    sleep(milliseconds) {
      now += milliseconds;
      const due = [...timers].filter(({ at }) => at <= now).sort((a, b) => a.at - b.at);
      for (const timer of due) {
        timers.delete(timer);
        timer.task();
      }
    },
    advance(milliseconds) {
      const end = now + milliseconds;
      for (;;) {
        const [due] = [...timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
        if (due === undefined) break;
        timers.delete(due);
        now = due.at;
        due.task();
      }
      now = end;
    },
  };
}
