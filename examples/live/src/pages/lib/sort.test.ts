import { describe, expect, test } from 'vitest';
import { nextOrder, sortBy } from './sort.ts';

const rows = [
  { name: 'b', size: 10 },
  { name: 'a10', size: 9 },
  { name: 'a9', size: 10 },
];

describe('sorting', () => {
  test('numbers are sorted by size, not as text', () => {
    expect(sortBy(rows, (row) => row.size, 'ascending').map((row) => row.size)).toEqual([9, 10, 10]);
  });

  test('texts are sorted in natural order', () => {
    expect(sortBy(rows, (row) => row.name, 'ascending').map((row) => row.name)).toEqual(['a9', 'a10', 'b']);
  });

  test('equal rows keep their order in both directions', () => {
    expect(sortBy(rows, (row) => row.size, 'descending').map((row) => row.name)).toEqual(['b', 'a9', 'a10']);
  });

  test('the given rows stay unchanged', () => {
    sortBy(rows, (row) => row.size, 'ascending');
    expect(rows[0]?.name).toBe('b');
  });
});

describe('pressing a header', () => {
  test('reverses the direction of the sorted column', () => {
    const order = nextOrder({ column: 'age', direction: 'ascending' }, 'age', 'ascending');
    expect(order).toEqual({ column: 'age', direction: 'descending' });
    expect(nextOrder(order, 'age', 'ascending')).toEqual({ column: 'age', direction: 'ascending' });
  });

  test('starts another column in its natural direction', () => {
    const order = nextOrder<'age' | 'bytes'>(
      { column: 'age', direction: 'ascending' },
      'bytes',
      'descending',
    );
    expect(order).toEqual({ column: 'bytes', direction: 'descending' });
  });
});
