import { describe, expect, test } from 'vitest';
import { createHub, memoryLog } from '../src/index.ts';

describe('options that would keep nothing, or never end', () => {
  const invalid = expect.objectContaining({ code: 'hub/invalid-option' }) as Error;

  test.each([{ events: NaN }, { bytes: -1 }, { age: '1' as unknown as number }])(
    'retention %o is refused',
    (retention) => {
      expect(() => memoryLog({ retention })).toThrow(invalid);
      expect(() => memoryLog({ topics: [{ match: 'a', retention }] })).toThrow(invalid);
    },
  );

  test.each([NaN, -1, Infinity])('an interval of %d is refused', (interval) => {
    expect(() => memoryLog({ topics: [{ match: 'a', latest: true, interval }] })).toThrow(invalid);
  });

  test('a `retry` that is no number is refused before anybody is disconnected', () => {
    expect(() => createHub().disconnect(() => true, { retry: NaN })).toThrow(invalid);
  });
});
