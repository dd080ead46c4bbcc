import { expect, test } from 'vitest';
import type { Clock } from '../clock.ts';
import { type Task, Turns } from './turns.ts';

/** A machine on which only steps and pauses take time. */
class Machine implements Clock {
  time = 0;
  /** How long each turn of the event loop took that did any work. */
  readonly turns: number[] = [];
  #deferred: (() => void)[] = [];
  readonly #timers = new Set<{ readonly due: number; readonly task: () => void }>();

  now(): number {
    return this.time;
  }

  monotonic(): number {
    return this.time;
  }

  defer(task: () => void): void {
    this.#deferred.push(task);
  }

  setTimer(task: () => void, delay: number): () => void {
    const timer = { due: this.time + delay, task };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /** Turns the event loop until this time, or until nothing is left to do. */
  runUntil(end: number): void {
    while (this.time < end) {
      const began = this.time;
      const tasks = this.#deferred;
      this.#deferred = [];
      for (const task of tasks) task();
      for (const timer of [...this.#timers].filter(({ due }) => due <= this.time)) {
        this.#timers.delete(timer);
        timer.task();
      }
      if (this.time > began) this.turns.push(this.time - began);
      else if (this.#deferred.length === 0) {
        const due = Math.min(...[...this.#timers].map((timer) => timer.due));
        if (due === Infinity) return;
        this.time = due;
      }
    }
  }
}

interface Work extends Task {
  steps: number;
}

function work(machine: Machine, milliseconds: number, steps = Infinity): Work {
  return {
    steps: 0,
    step() {
      machine.time += milliseconds;
      this.steps += 1;
      return this.steps < steps ? 'more' : 'done';
    },
  };
}

test('Catching up takes a few milliseconds of each turn, and no more than its share of the time', () => {
  for (const share of [0.1, 0.5, 0.8, 1]) {
    const machine = new Machine();
    const turns = new Turns(machine, 5, share);
    const works = Array.from({ length: 50 }, () => work(machine, 0.3));
    for (const each of works) turns.take(each);
    machine.runUntil(2000);
    const used = works.reduce((sum, { steps }) => sum + steps * 0.3, 0);
    expect(used / machine.time).toBeLessThanOrEqual(share + 0.01);
    expect(used / machine.time).toBeGreaterThan(share - 0.05);
    expect(Math.max(...machine.turns)).toBeLessThan(5.5);
  }
});

test('All that catch up get as many steps, however many there are', () => {
  const machine = new Machine();
  const turns = new Turns(machine, 5, 0.5);
  const works = Array.from({ length: 1000 }, () => work(machine, 0.1));
  turns.take({
    step() {
      for (const each of works) turns.take(each);
      return 'done';
    },
  });
  machine.runUntil(2000);
  const steps = works.map((each) => each.steps);
  expect(Math.max(...steps) - Math.min(...steps)).toBeLessThanOrEqual(1);
  expect(Math.min(...steps)).toBeGreaterThan(5);
});

test('One that comes while all others pause gets its first step after them, and none is forgotten', () => {
  const machine = new Machine();
  const turns = new Turns(machine, 5, 0.5);
  const works = Array.from({ length: 20 }, () => work(machine, 1, 3));
  for (const each of works) {
    turns.take(each);
    machine.runUntil(machine.time + 2);
  }
  machine.runUntil(Infinity);
  expect(works.map(({ steps }) => steps)).toEqual(works.map(() => 3));
});

test('A step that takes very long holds up others for a tenth of a second at most', () => {
  const machine = new Machine();
  const turns = new Turns(machine, 5, 0.01);
  turns.take(work(machine, 3000, 1));
  const next = work(machine, 1, 1);
  turns.take(next);
  machine.runUntil(3100.5);
  expect(next.steps).toBe(1);
});
