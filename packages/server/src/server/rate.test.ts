import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RateLimit } from './rate.ts';

const refused = expect.objectContaining({ code: 'limit/rate', status: 429 });

describe('a rate limit', () => {
  it('lets a burst through, then as much as the rate, for each key by itself', () => {
    let now = 0;
    const limit = new RateLimit({ rate: 10, burst: 5 }, () => now);
    for (let i = 0; i < 5; i += 1) limit.charge('a', 1);
    expect(() => limit.charge('a', 1)).toThrow(refused);
    limit.charge('b', 1);
    now = 100;
    limit.charge('a', 1);
    expect(() => limit.charge('a', 1)).toThrow(refused);
  });

  it('takes a batch larger than the burst, and has it paid for before the next', () => {
    let now = 0;
    const limit = new RateLimit({ rate: 10, burst: 5 }, () => now);
    limit.charge('a', 100);
    expect(() => limit.assertRoom('a')).toThrow(expect.objectContaining({ details: { retryAfter: 10 } }));
    now = 9599;
    expect(() => limit.assertRoom('a')).toThrow(refused);
    now = 9600;
    limit.assertRoom('a');
  });

  it('limits nothing without a rate, and can be changed', () => {
    const limit = new RateLimit(undefined, () => 0);
    limit.charge('a', 1e9);
    limit.change({ rate: 1, burst: 1 });
    limit.charge('a', 1);
    expect(() => limit.charge('a', 1)).toThrow(refused);
  });

  it('never lets more through than the rate, a burst and one batch', () => {
    const step = fc.record({ wait: fc.nat(2000), amount: fc.integer({ min: 1, max: 50 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        let now = 0;
        let taken = 0;
        const limit = new RateLimit({ rate: 20, burst: 30 }, () => now);
        for (const { wait, amount } of steps) {
          now += wait;
          try {
            limit.charge('a', amount);
            taken += amount;
          } catch {
            // It has to wait.
          }
        }
        expect(taken).toBeLessThanOrEqual((now / 1000) * 20 + 30 + 50);
      }),
      { numRuns: 200 },
    );
  });
});
