import type { Clock } from '../clock.ts';

/** A task that runs in steps. */
export interface Task {
  /** Does one step. @returns `more` to go on, `rest` to go on in another turn, `done` to be left alone. */
  step(): 'more' | 'rest' | 'done';
}

/** Milliseconds: after one long step (a garbage collection, say) others don't wait longer than this. */
const LONGEST_PAUSE = 100;

/**
 * Shares out the time for catching up. All connections of a hub that are behind read in steps, one after the other. In
 * each turn of the event loop they take a few milliseconds together, and over several turns no more than their share of
 * the time, however many there are.
 */
export class Turns {
  readonly #clock: Clock;
  readonly #budget: number;
  readonly #share: number;
  readonly #queue = new Set<Task>();
  readonly #resting = new Set<Task>();
  #running = false;
  /** When this turn began; undefined if none of its time was used yet. */
  #began: number | undefined;
  /** Milliseconds used in this turn. */
  #used = 0;
  #isPausing = false;

  /** `budget`: milliseconds of each turn. `share`: the most of all time, above 0 and up to 1. */
  constructor(clock: Clock, budget: number, share = 1) {
    this.#clock = clock;
    this.#budget = budget;
    this.#share = share;
  }

  /** Does the task's steps: now, as far as there is time, and in later turns. */
  take(task: Task): void {
    if (this.#resting.has(task)) return;
    this.#queue.add(task);
    if (!this.#running && !this.#isPausing) this.#run();
  }

  /** Does no more steps of it. */
  drop(task: Task): void {
    this.#queue.delete(task);
    this.#resting.delete(task);
  }

  #run(): void {
    this.#running = true;
    const start = this.#clock.monotonic();
    let now = start;
    try {
      // Tasks added within the loop, even again, come last.
      for (const task of this.#queue) {
        if (!this.#hasTime(now)) return;
        this.#queue.delete(task);
        const next = task.step();
        if (next === 'more') this.#queue.add(task);
        else if (next === 'rest') this.#resting.add(task);
        now = this.#clock.monotonic();
      }
    } finally {
      this.#running = false;
      this.#used += now - start;
    }
  }

  #hasTime(now: number): boolean {
    if (this.#began !== undefined) return now < this.#began + this.#budget;
    this.#began = now;
    this.#clock.defer(() => this.#endTurn());
    return true;
  }

  #endTurn(): void {
    const next = (this.#began ?? 0) + this.#used / this.#share;
    this.#began = undefined;
    this.#used = 0;
    const pause = Math.min(next - this.#clock.monotonic(), LONGEST_PAUSE);
    // A shorter one is no shorter than the turn that has just passed.
    if (pause < 1) return this.#nextTurn();
    this.#isPausing = true;
    this.#clock.setTimer(() => {
      this.#isPausing = false;
      this.#nextTurn();
    }, pause);
  }

  #nextTurn(): void {
    for (const task of this.#resting) this.#queue.add(task);
    this.#resting.clear();
    if (!this.#running) this.#run();
  }
}
