import { describe, expect, test } from 'vitest';
import { inTurns } from '../../test/model/turns.ts';
import { createManualClock } from '../testing/manual-clock.ts';
import { TimersInTurns } from './timers-in-turns.ts';

function setUp() {
  const time = createManualClock();
  const clock = inTurns(time);
  return { time, clock, timers: new TimersInTurns(clock) };
}

describe('timers in turns', () => {
  test('that are due at once do their tasks over several turns, in order', () => {
    const { time, clock, timers } = setUp();
    const done: number[] = [];
    for (let i = 0; i < 1000; i += 1) timers.set(() => done.push(i), 10);
    time.advance(10);
    const counts = [done.length];
    for (let turns = 0; turns < 10; turns += 1) {
      clock.turn();
      counts.push(done.length);
    }
    expect(counts.slice(0, 6)).toEqual([200, 400, 600, 800, 1000, 1000]);
    expect(done).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    // Nothing is left to do.
    timers.set(() => done.push(-1), 10);
    time.advance(10);
    expect(done.at(-1)).toBe(-1);
  });

  test('of which one throws do the tasks of the others', () => {
    const { time, clock, timers } = setUp();
    let done = 0;
    for (let i = 0; i < 1000; i += 1)
      timers.set(() => {
        if (i === 300) throw new Error('careless');
        done += 1;
      }, 10);
    time.advance(10);
    expect(() => clock.turn()).toThrow('careless');
    for (let turns = 0; turns < 10; turns += 1) clock.turn();
    expect(done).toBe(999);
  });

  test('can be cancelled, also while they wait for their turn', () => {
    const { time, clock, timers } = setUp();
    let done = 0;
    const cancels = Array.from({ length: 300 }, () => timers.set(() => (done += 1), 10));
    cancels[0]?.();
    time.advance(10);
    expect(done).toBe(200);
    cancels[299]?.();
    clock.turn();
    clock.turn();
    expect(done).toBe(298);
  });
});
