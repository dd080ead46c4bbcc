import type { Clock } from '../clock.ts';

/** A task that runs in steps. */
export interface Task {
  /** Does one step. @returns `more` to go on, `rest` to go on in another turn, `done` to be left alone. */
  step(): 'more' | 'rest' | 'done';
}

/**
 * Shares out the time for catching up. All connections of a hub that are behind read in steps, one after the other,
 * and together take only a few milliseconds of each turn of the event loop, however many there are.
 */
export class Turns {
  readonly #clock: Clock;
  readonly #budget: number;
  readonly #queue = new Set<Task>();
  readonly #resting = new Set<Task>();
  #running = false;
  /** When the time of this turn is used up; undefined if none was used yet. */
  #until: number | undefined;

  /** `budget`: milliseconds of each turn. */
  constructor(clock: Clock, budget: number) {
    this.#clock = clock;
    this.#budget = budget;
  }

  /** Does the task's steps: now, as far as there is time, and in later turns. */
  take(task: Task): void {
    if (this.#resting.has(task)) return;
    this.#queue.add(task);
    if (!this.#running) this.#run();
  }

  /** Does no more steps of it. */
  drop(task: Task): void {
    this.#queue.delete(task);
    this.#resting.delete(task);
  }

  #run(): void {
    this.#running = true;
    try {
      // Tasks added within the loop, even again, come last.
      for (const task of this.#queue) {
        if (!this.#hasTime()) return;
        this.#queue.delete(task);
        const next = task.step();
        if (next === 'more') this.#queue.add(task);
        else if (next === 'rest') this.#resting.add(task);
      }
    } finally {
      this.#running = false;
    }
  }

  #hasTime(): boolean {
    const now = this.#clock.monotonic();
    if (this.#until !== undefined) return now < this.#until;
    this.#until = now + this.#budget;
    this.#clock.defer(() => this.#nextTurn());
    return true;
  }

  #nextTurn(): void {
    this.#until = undefined;
    for (const task of this.#resting) this.#queue.add(task);
    this.#resting.clear();
    if (!this.#running) this.#run();
  }
}
