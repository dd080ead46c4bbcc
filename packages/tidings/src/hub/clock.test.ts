import { afterEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from './clock.ts';

const MAX_DELAY = 2_147_483_647;

afterEach(() => {
  vi.restoreAllMocks();
});

describe('the system’s clock', () => {
  test('gives the time of day, and a monotonic time', () => {
    const before = Date.now();
    const now = systemClock.now();
    expect(now).toBeGreaterThanOrEqual(before);
    expect(now).toBeLessThanOrEqual(Date.now());
    const times = Array.from({ length: 1000 }, () => systemClock.monotonic());
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  });

  test('runs deferred tasks after the running code and its promises', async () => {
    const done: string[] = [];
    await new Promise<void>((resolve) => {
      systemClock.defer(() => {
        done.push('deferred');
        resolve();
      });
      void Promise.resolve().then(() => done.push('promise'));
      done.push('now');
    });
    expect(done).toEqual(['now', 'promise', 'deferred']);
  });

  test('runs a timer’s task once, and not if it was cancelled', async () => {
    const done: string[] = [];
    const cancel = systemClock.setTimer(() => done.push('cancelled'), 0);
    cancel();
    cancel();
    await new Promise<void>((resolve) => {
      systemClock.setTimer(() => {
        done.push('ran');
        resolve();
      }, 1);
    });
    expect(done).toEqual(['ran']);
  });

  test.each([Infinity, MAX_DELAY + 1, 1e15])(
    'takes a delay that a runtime can’t count as a long one: setTimeout would turn %d into 1 ms',
    (delay) => {
      const setTimeout = vi.spyOn(globalThis, 'setTimeout');
      systemClock.setTimer(() => {}, delay)();
      expect(setTimeout.mock.calls.map(([, milliseconds]) => milliseconds)).toEqual([MAX_DELAY]);
    },
  );
});
