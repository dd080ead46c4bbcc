import fc from 'fast-check';
import { expect, it } from 'vitest';
import { MAX_DELAY } from '../protocol/timer-delay.ts';
import { backoff, DEFAULT_RETRY, type RetryPolicy } from './backoff.ts';

const policy = fc.record<RetryPolicy>({
  base: fc.integer({ min: 0, max: 100_000 }),
  max: fc.integer({ min: 0, max: 1_000_000 }),
  attempts: fc.constant(Infinity),
});
const failures = fc.nat({ max: 5_000 });
const asked = fc.oneof(fc.nat({ max: 100_000 }), fc.constant(Infinity));
const dice = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
/** The largest value that the dice can show. */
const ALMOST_ONE = 1 - Number.EPSILON / 2;

it('is a whole number that a timer can wait for', () => {
  fc.assert(
    fc.property(policy, failures, asked, dice, (...args) => {
      const delay = backoff(...args);
      expect(Number.isInteger(delay)).toBe(true);
      expect(delay).toBeGreaterThanOrEqual(0);
      expect(delay).toBeLessThanOrEqual(MAX_DELAY);
    }),
  );
});

it('can be anything from nothing to the limit', () => {
  expect(backoff(DEFAULT_RETRY, 3, 0, 0)).toBe(0);
  expect(backoff(DEFAULT_RETRY, 3, 0, 0.5)).toBe(4_000);
  expect(backoff(DEFAULT_RETRY, 3, 0, ALMOST_ONE)).toBe(7_999);
});

it('has a limit that doubles with each failure until the maximum', () => {
  const limits = [0, 1, 2, 3, 4, 5, 6, 5_000].map((n) => backoff(DEFAULT_RETRY, n, 0, ALMOST_ONE) + 1);
  expect(limits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
});

it('never shrinks its limit from one failure to the next', () => {
  fc.assert(
    fc.property(policy, failures, asked, dice, (retry, n, ask, luck) => {
      expect(backoff(retry, n + 1, ask, luck)).toBeGreaterThanOrEqual(backoff(retry, n, ask, luck));
    }),
  );
});

it('is at least what the server asks for, even above the maximum, and no more than an hour', () => {
  expect(backoff(DEFAULT_RETRY, 0, 2_000, 0)).toBe(2_000);
  expect(backoff(DEFAULT_RETRY, 0, 2_000, 0.5)).toBe(2_500);
  expect(backoff(DEFAULT_RETRY, 4, 60_000, 0.5)).toBe(61_000);
  expect(backoff(DEFAULT_RETRY, 0, Infinity, 0)).toBe(3_600_000);
});
