import type { Clock } from '../clock.ts';
import type { Task, Turns } from './turns.ts';

/** A reader whose log is out of reach. */
export interface Waiting {
  /** When its reads began to fail, by the clock's monotonic time. */
  readonly since: number;
  /** Reads again. If that fails, too, it waits anew. */
  readonly readAgain: () => void;
  /** Ends it: it has waited long enough. */
  readonly giveUp: () => void;
}

/** Milliseconds for which a reader waits for the log. docs/concepts.md states it. */
const PATIENCE = 120_000;
/** Milliseconds between tries: at first, and after each that failed twice as long, up to the most. */
const FIRST_TRY = 250;
const MOST_BETWEEN = 2000;
/** Readers that go on in one step, and milliseconds between reports. */
const STEP = 16;
const REPORT_EVERY = 10_000;

/**
 * Readers wait here while the log is out of reach, however many: in turn, one of them tries again now and then, so a log
 * that is down is asked little. Once one succeeds, all go on, in turns with others that catch up.
 */
export class Outage<Reader> implements Task {
  readonly #clock: Clock;
  readonly #turns: Turns;
  readonly #report: (error: unknown) => void;
  readonly #waiting = new Map<Reader, Waiting>();
  /** What each of them does in its next turn: read again, or give up. */
  readonly #due = new Map<Reader, () => void>();
  #pause = FIRST_TRY;
  #cancel: (() => void) | undefined;
  #reportedAt = -Infinity;

  constructor(clock: Clock, turns: Turns, report: (error: unknown) => void) {
    this.#clock = clock;
    this.#turns = turns;
    this.#report = report;
  }

  /** Takes a reader and the failure of its read. @returns whether waiting makes sense; else nothing was done. */
  wait(reader: Reader, waiting: Waiting, error: unknown): boolean {
    if ((error as { code?: unknown } | undefined)?.code !== 'log/unavailable') return false;
    const now = this.#clock.monotonic();
    if (now - waiting.since >= PATIENCE) return false;
    // Thousands fail with the same error.
    if (now - this.#reportedAt >= REPORT_EVERY) {
      this.#reportedAt = now;
      this.#report(error);
    }
    this.#waiting.set(reader, waiting);
    this.#cancel ??= this.#clock.setTimer(() => this.#tryOne(), this.#pause, true);
    return true;
  }

  /** A reader that had to wait has read the log. */
  over(): void {
    this.#pause = FIRST_TRY;
    for (const [reader, { readAgain }] of this.#waiting) this.#due.set(reader, readAgain);
    this.#waiting.clear();
    this.#stop();
    if (this.#due.size > 0) this.#turns.take(this);
  }

  /** The reader is gone. */
  drop(reader: Reader): void {
    this.#due.delete(reader);
    if (this.#waiting.delete(reader) && this.#waiting.size === 0) this.#stop();
  }

  step(): 'more' | 'done' {
    let left = STEP;
    for (const [reader, goOn] of this.#due) {
      this.#due.delete(reader);
      goOn();
      left -= 1;
      if (left === 0) return 'more';
    }
    return 'done';
  }

  #tryOne(): void {
    this.#cancel = undefined;
    this.#pause = Math.min(2 * this.#pause, MOST_BETWEEN);
    const now = this.#clock.monotonic();
    let isTried = false;
    for (const [reader, { since, readAgain, giveUp }] of this.#waiting) {
      const isOver = now - since >= PATIENCE;
      if (isTried && !isOver) continue;
      this.#waiting.delete(reader);
      this.#due.set(reader, isOver ? giveUp : readAgain);
      isTried ||= !isOver;
    }
    if (this.#waiting.size > 0) this.#cancel = this.#clock.setTimer(() => this.#tryOne(), this.#pause, true);
    this.#turns.take(this);
  }

  #stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
