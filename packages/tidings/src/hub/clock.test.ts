import { afterEach, expect, test, vi } from 'vitest';
import { systemClock } from './clock.ts';

afterEach(() => void vi.restoreAllMocks());

// Node 24 warns of negative delays, and all of them make 1 ms of one that is too long.
test.each([
  [-0.5, 0],
  [0, 0],
  [1500, 1500],
  [Infinity, 2_147_483_647],
])('A timer of %s ms is one of %s ms for the runtime', (delay, expected) => {
  const started = vi.spyOn(globalThis, 'setTimeout');
  systemClock.setTimer(() => {}, delay)();
  expect(started).toHaveBeenCalledExactlyOnceWith(expect.any(Function), expected);
});
