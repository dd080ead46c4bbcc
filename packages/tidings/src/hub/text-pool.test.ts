import { describe, expect, test } from 'vitest';
import { TextPool } from './text-pool.ts';

describe('a pool of texts', () => {
  test('keeps a text once, until it is released as often as it was used', () => {
    const pool = new TextPool();
    expect([pool.use('Firefox'), pool.use('Firefox'), pool.use('curl')]).toEqual([
      'Firefox',
      'Firefox',
      'curl',
    ]);
    expect(pool.size).toBe(2);
    for (const text of ['Firefox', 'curl', 'Firefox']) pool.release(text);
    expect(pool.size).toBe(0);
  });

  test('keeps only the beginning of a long text, and nothing for undefined', () => {
    const pool = new TextPool();
    const text = pool.use('x'.repeat(10_000));
    expect([text?.length, pool.use(undefined), pool.size]).toEqual([256, undefined, 1]);
    pool.release(text);
    pool.release(undefined);
    expect(pool.size).toBe(0);
  });
});
