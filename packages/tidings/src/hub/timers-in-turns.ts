import type { Clock } from './clock.ts';

/** Tasks of a turn of the event loop: as many announcements take some 3 ms. */
const TASKS_PER_TURN = 200;

/** Timers of which thousands may be due at the same moment: their tasks share the turns of the event loop. */
export class TimersInTurns {
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();
  #left = TASKS_PER_TURN;
  #isDeferred = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @returns a function that cancels it. */
  set(task: () => void, delay: number): () => void {
    // Waiting is by task, and callers may give the same one twice.
    const own = (): void => task();
    const cancel = this.#clock.setTimer(() => this.#run(own), delay);
    return () => {
      cancel();
      this.#waiting.delete(own);
    };
  }

  #run(task: () => void): void {
    this.#waiting.add(task);
    this.#work();
    if (this.#isDeferred) return;
    this.#isDeferred = true;
    this.#clock.defer(() => this.#beginTurn());
  }

  #beginTurn(): void {
    this.#isDeferred = this.#waiting.size > 0;
    this.#left = TASKS_PER_TURN;
    // The next turn is booked before the work: a task may throw, and the others still get theirs.
    if (this.#isDeferred) this.#clock.defer(() => this.#beginTurn());
    this.#work();
  }

  #work(): void {
    for (const task of this.#waiting) {
      if (this.#left === 0) return;
      this.#left -= 1;
      this.#waiting.delete(task);
      task();
    }
  }
}
