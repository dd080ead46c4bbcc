import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LagSamples } from './lag-samples.ts';

function samplesOf(...values: readonly number[]): LagSamples {
  const samples = new LagSamples();
  for (const value of values) samples.add(value);
  return samples;
}

describe('quantiles of lag', () => {
  test('are 0 while there is no sample', () => {
    expect(samplesOf().quantiles(0, 0.5, 1)).toEqual([0, 0, 0]);
  });

  test('of one sample are that sample', () => {
    expect(samplesOf(7).quantiles(0, 0.5, 0.99, 1)).toEqual([7, 7, 7, 7]);
  });

  test('come in the order they were asked for, and compare samples as numbers', () => {
    const samples = samplesOf(...Array.from({ length: 100 }, (_, i) => 100 - i));
    expect(samples.quantiles(0.99, 0.5, 0, 1)).toEqual([100, 51, 1, 100]);
  });

  test('can be asked for again and again', () => {
    const samples = samplesOf(3, 1, 2);
    expect(samples.quantiles(0.5)).toEqual([2]);
    samples.add(9);
    expect(samples.quantiles(0, 1)).toEqual([1, 9]);
    expect(samples.quantiles(0, 1)).toEqual([1, 9]);
  });

  test('are over the newest 1024 samples only', () => {
    const samples = samplesOf(...Array.from({ length: 1024 }, () => 1000));
    for (let i = 0; i < 1023; i += 1) samples.add(1);
    expect(samples.quantiles(0, 1)).toEqual([1, 1000]);
    samples.add(1);
    expect(samples.quantiles(0, 1)).toEqual([1, 1]);
  });

  test('can be over the newest few alone, also where the buffer wraps around', () => {
    const samples = samplesOf(...Array.from({ length: 1020 }, () => 1000));
    for (let i = 1; i <= 10; i += 1) samples.add(i);
    expect(samples.quantilesOf(10, 0, 0.5, 1)).toEqual([1, 6, 10]);
    expect(samples.quantilesOf(11, 1)).toEqual([1000]);
    expect(samples.quantilesOf(5000, 1)).toEqual([1000]);
    expect(samples.quantilesOf(0, 0.5)).toEqual([0]);
  });

  test('have the share of samples below them that they name', () => {
    const lag = fc.double({ min: 0, max: 1e6, noNaN: true });
    fc.assert(
      fc.property(
        fc.array(lag, { minLength: 1, maxLength: 2000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (lags, q) => {
          const newest = lags.slice(-1024);
          const [value = NaN] = samplesOf(...lags).quantiles(q);
          expect(newest).toContain(value);
          const below = newest.filter((each) => each < value).length;
          const notAbove = newest.filter((each) => each <= value).length;
          expect(below).toBeLessThanOrEqual(q * newest.length);
          expect(notAbove).toBeGreaterThanOrEqual(Math.min(newest.length, Math.floor(q * newest.length)));
        },
      ),
    );
  });
});
