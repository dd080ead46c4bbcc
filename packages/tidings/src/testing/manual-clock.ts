import type { Clock } from '../hub/clock.ts';

export interface ManualClock extends Clock {
  /** Runs deferred tasks, and those that they defer in turn. */
  tick(): void;
  /** Lets time pass: runs the timers that fall due, in order and each at its time, and tasks that they defer. */
  advance(milliseconds: number): void;
  /** Moves the wall clock alone, as a correction by NTP or an operator does. */
  jump(milliseconds: number): void;
  /** Pending timers. */
  readonly timers: number;
}

interface Timer {
  readonly due: number;
  readonly task: () => void;
}

/** A clock that stands still until a test turns it. `start` in milliseconds since 1970. */
export function createManualClock(start = 1_700_000_000_000): ManualClock {
  let wall = start;
  let elapsed = 0;
  let deferred: (() => void)[] = [];
  const timers = new Set<Timer>();

  function tick(): void {
    while (deferred.length > 0) {
      const tasks = deferred;
      deferred = [];
      for (const task of tasks) task();
    }
  }

  function nextDue(until: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of timers) {
      if (timer.due <= until && (next === undefined || timer.due < next.due)) next = timer;
    }
    return next;
  }

  function pass(milliseconds: number): void {
    elapsed += milliseconds;
    wall += milliseconds;
  }

  return {
    now: () => wall,
    monotonic: () => elapsed,
    setTimer(task, delay) {
      const timer = { due: elapsed + delay, task };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
    defer: (task) => void deferred.push(task),
    tick,
    advance(milliseconds) {
      const until = elapsed + milliseconds;
      tick();
      for (let timer = nextDue(until); timer !== undefined; timer = nextDue(until)) {
        timers.delete(timer);
        pass(timer.due - elapsed);
        timer.task();
        tick();
      }
      pass(until - elapsed);
    },
    jump: (milliseconds) => void (wall += milliseconds),
    get timers() {
      return timers.size;
    },
  };
}
