import { describe, expect, test } from 'vitest';
import { createManualClock } from './manual-clock.ts';

describe('a clock turned by hand', () => {
  test('stands still until it is moved', () => {
    const clock = createManualClock(1000);
    expect([clock.now(), clock.monotonic()]).toEqual([1000, 0]);
    clock.tick();
    expect([clock.now(), clock.monotonic()]).toEqual([1000, 0]);
    clock.advance(5);
    expect([clock.now(), clock.monotonic()]).toEqual([1005, 5]);
  });

  test('can jump in the time of day alone, without firing timers', () => {
    const clock = createManualClock(1000);
    const fired: string[] = [];
    clock.setTimer(() => fired.push('timer'), 10);
    clock.jump(-5000);
    clock.jump(100_000);
    expect([clock.now(), clock.monotonic()]).toEqual([96_000, 0]);
    expect(fired).toEqual([]);
    clock.advance(10);
    expect(fired).toEqual(['timer']);
  });

  test('runs timers when they are due, in the order of their times, then of their making', () => {
    const clock = createManualClock(0);
    const fired: [string, number][] = [];
    const note = (name: string) => (): void => void fired.push([name, clock.monotonic()]);
    clock.setTimer(note('late'), 30);
    clock.setTimer(note('first'), 10);
    clock.setTimer(note('second'), 10);
    clock.setTimer(note('never'), Infinity);
    clock.advance(9);
    expect(fired).toEqual([]);
    clock.advance(100);
    expect(fired).toEqual([
      ['first', 10],
      ['second', 10],
      ['late', 30],
    ]);
    expect([clock.monotonic(), clock.timers]).toEqual([109, 1]);
  });

  test('runs a timer that another timer set within the same move, if it is due', () => {
    const clock = createManualClock(0);
    const fired: number[] = [];
    const again = (): void => {
      fired.push(clock.now());
      clock.setTimer(again, 10);
    };
    clock.setTimer(again, 10);
    clock.advance(35);
    expect(fired).toEqual([10, 20, 30]);
    expect(clock.timers).toBe(1);
  });

  test('does not run a timer that was cancelled, even by one due at the same time', () => {
    const clock = createManualClock();
    const fired: string[] = [];
    const cancels: (() => void)[] = [];
    clock.setTimer(() => cancels.forEach((cancel) => cancel()), 10);
    cancels.push(clock.setTimer(() => fired.push('cancelled'), 10));
    clock.advance(10);
    expect(fired).toEqual([]);
    expect(clock.timers).toBe(0);
    cancels.forEach((cancel) => cancel());
  });

  test('runs deferred tasks, and those they defer, at the tick and between timers', () => {
    const clock = createManualClock(0);
    const done: string[] = [];
    clock.defer(() => {
      done.push('one');
      clock.defer(() => done.push('two'));
    });
    expect(done).toEqual([]);
    clock.tick();
    expect(done).toEqual(['one', 'two']);
    clock.setTimer(() => clock.defer(() => done.push(`deferred at ${clock.now()}`)), 10);
    clock.setTimer(() => done.push(`timer at ${clock.now()}`), 20);
    clock.defer(() => done.push(`before at ${clock.now()}`));
    clock.advance(20);
    expect(done.slice(2)).toEqual(['before at 0', 'deferred at 10', 'timer at 20']);
  });
});
