import { describe, expect, test } from 'vitest';
import { formatAge, secondsUntil, timeAgo } from './time.ts';

const NOW = new Date(2026, 5, 15, 12, 0, 0).getTime();
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

describe('time ago', () => {
  test.each([
    [0, 'just now'],
    [44 * SECOND, 'just now'],
    [50 * SECOND, '1 min ago'],
    [59 * MINUTE, '59 min ago'],
    [HOUR, '1 h ago'],
    [23 * HOUR, '23 h ago'],
    [DAY, '1 d ago'],
    [6 * DAY, '6 d ago'],
  ])('%i ms ago reads as %s', (age, words) => {
    expect(timeAgo(NOW - age, NOW)).toBe(words);
  });

  test('after a week it is the date, with the year if it is not the current one', () => {
    expect(timeAgo(new Date(2026, 5, 1).getTime(), NOW)).toBe('Jun 1');
    expect(timeAgo(new Date(2025, 11, 31).getTime(), NOW)).toBe('Dec 31, 2025');
  });

  test('a server whose clock is ahead posts now, not in the future', () => {
    expect(timeAgo(NOW + 5 * SECOND, NOW)).toBe('just now');
  });
});

describe('age', () => {
  test.each([
    [-5, '0 s'],
    [8_999, '8 s'],
    [4 * MINUTE + 12 * SECOND, '4 min 12 s'],
    [2 * HOUR + 5 * MINUTE + 59 * SECOND, '2 h 5 min'],
    [3 * DAY + 4 * HOUR, '3 d 4 h'],
  ])('%i ms reads as %s', (ms, words) => {
    expect(formatAge(ms)).toBe(words);
  });
});

test('a countdown ends at zero and shows the second it is in', () => {
  expect(secondsUntil(NOW + 1, NOW)).toBe(1);
  expect(secondsUntil(NOW + 2_000, NOW)).toBe(2);
  expect(secondsUntil(NOW - 1, NOW)).toBe(0);
});
