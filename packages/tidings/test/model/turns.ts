import type { ManualClock } from '../../src/testing/manual-clock.ts';

/** A clock whose deferred tasks run one turn at a time: anything can happen between two of them. */
export interface TurnedClock extends ManualClock {
  /** Runs the deferred tasks, but not those that they defer. */
  turn(): void;
}

export function inTurns(clock: ManualClock, soon?: (task: () => void) => void): TurnedClock {
  let deferred: (() => void)[] = [];
  function turn(): void {
    const tasks = deferred;
    deferred = [];
    for (const task of tasks) task();
  }
  function tick(): void {
    while (deferred.length > 0) turn();
  }
  return {
    now: clock.now,
    monotonic: clock.monotonic,
    setTimer: clock.setTimer,
    defer: (task) => void deferred.push(task),
    ...(soon !== undefined && { soon }),
    turn,
    tick,
    advance(milliseconds) {
      tick();
      clock.advance(milliseconds);
      tick();
    },
    jump: clock.jump,
    get timers() {
      return clock.timers;
    },
  };
}
