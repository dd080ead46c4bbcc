import { describe, expect, test } from 'vitest';
import { type LogTime, START, advanceTime } from './log-time.ts';

const T = 1_700_000_000_000;
const HOUR = 3_600_000;

/** The log's times while the clock says these, one after the other. */
function timesAt(...clock: readonly number[]): number[] {
  let time: LogTime = START;
  return clock.map((now) => (time = advanceTime(time, now)).last);
}

describe('a log’s time', () => {
  test('goes on at the clock’s pace while the clock is behind', () => {
    expect(timesAt(T, T - HOUR, T - HOUR + 500, T - HOUR + 60_000)).toEqual([T, T, T + 500, T + 60_000]);
  });

  test('isn’t driven on by a clock that was set back and is put right', () => {
    // Such as after a start without a battery: half a minute in 1970, then the network knows the date.
    expect(timesAt(T, 0, 30_000, T + 30_900, T + 31_900)).toEqual([T, T, T + 30_000, T + 30_900, T + 31_900]);
    expect(timesAt(T, T - HOUR, T - HOUR + 30_000, T + 29_500, T + 31_000)).toEqual([
      T,
      T,
      T + 30_000,
      T + 30_000,
      T + 31_000,
    ]);
  });

  test('goes on after a clock that was ahead for a while', () => {
    expect(timesAt(T, T + HOUR, T + 1000, T + 2000, T + 60_000)).toEqual([
      T,
      T + HOUR,
      T + HOUR,
      T + HOUR + 1000,
      T + HOUR + 59_000,
    ]);
  });

  test('never goes back, whatever the clock does', () => {
    const jumps = [0, 5, -7, 900, -900, HOUR, -HOUR, HOUR - 400, -3, 2 * HOUR, -5 * HOUR, 5 * HOUR, 1, -1];
    let clock = T;
    const times = timesAt(...jumps.map((jump) => (clock += jump)));
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(times.at(-1)).toBeGreaterThanOrEqual(T);
  });
});
