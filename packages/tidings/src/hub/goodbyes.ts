import type { Clock } from './clock.ts';
import { inSlices } from './in-slices.ts';

/** Streams that are ended in one turn of the event loop: as many take some 5 ms. */
export const ENDS_PER_TURN = 200;

/** Does the second step of `Connection.beginEnd` for many connections: those that are due take turns, whoever ends them. */
export class Goodbyes {
  readonly #clock: Clock;
  #due: (() => void)[] = [];
  #listeners: (() => void)[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Says the first ones at once, unless others are still due. */
  say(goodbyes: readonly ((() => void) | undefined)[]): void {
    const isSaying = this.#due.length > 0;
    for (const sayGoodbye of goodbyes) if (sayGoodbye !== undefined) this.#due.push(sayGoodbye);
    if (isSaying || this.#due.length === 0) return;
    // An iterator of a list comes to what is added meanwhile, too.
    inSlices(this.#clock, this.#due.values(), {
      work: (sayGoodbye) => sayGoodbye(),
      most: ENDS_PER_TURN,
      done: () => this.#allSaid(),
    });
  }

  /** Calls `listener` once no goodbye is due: at once if none is. */
  whenAllSaid(listener: () => void): void {
    if (this.#due.length === 0) listener();
    else this.#listeners.push(listener);
  }

  #allSaid(): void {
    this.#due = [];
    const listeners = this.#listeners;
    this.#listeners = [];
    for (const listener of listeners) listener();
  }
}
