import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { exceededBound } from './json-shape.ts';

/** The same, by what the text is parsed to. */
function measure(value: unknown): { depth: number; values: number } {
  if (typeof value !== 'object' || value === null) return { depth: 0, values: 1 };
  const parts = Object.values(value).map(measure);
  return {
    depth: 1 + Math.max(0, ...parts.map(({ depth }) => depth)),
    values: 1 + parts.reduce((sum, { values }) => sum + values, 0),
  };
}

describe('the bounds of a JSON text', () => {
  test('are exceeded by exactly the texts with more values, or deeper ones', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.nat(12), fc.nat(4), (value, values, depth) => {
        const found = measure(JSON.parse(JSON.stringify(value)));
        const exceeded = exceededBound(JSON.stringify(value), { values, depth });
        // An empty list or object counts for one more.
        if (found.depth > depth) expect(exceeded).toBeDefined();
        else if (found.values > values) expect(exceeded).toBe('values');
        else if (found.values * 2 < values) expect(exceeded).toBeUndefined();
      }),
    );
  });

  test.each(['"[[[[,,,,"', '"\\"[[,,"', '"\\\\"', '"[', '"\\'])(
    'do not count what is within a text: %s',
    (json) => {
      expect(exceededBound(json, { depth: 0, values: 1 })).toBeUndefined();
    },
  );

  test('say which of them is exceeded', () => {
    expect(exceededBound('[[1]]', { depth: 1, values: 10 })).toBe('depth');
    expect(exceededBound('[[1]]', { depth: 2, values: 10 })).toBeUndefined();
    expect(exceededBound('[1,2,3]', { depth: 2, values: 3 })).toBe('values');
    expect(exceededBound('{"a":1,"b":2}', { depth: 2, values: 3 })).toBeUndefined();
  });
});
