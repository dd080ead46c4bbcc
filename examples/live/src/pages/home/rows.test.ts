import { expect, test } from 'vitest';
import { addReceipt, excerpt, wordsFor } from './rows.ts';
import type { TapeRow } from './rows.ts';

const add = (rows: readonly TapeRow[], type: string, at: number, data = '{}'): TapeRow[] =>
  addReceipt(rows, { type, at, data }, 3);

test('events of one type in a row are one line, with the last payload', () => {
  let rows = add([], 'dashboard:delta', 1, '{"a":1}');
  rows = add(rows, 'dashboard:delta', 2, '{"b":2}');
  expect(rows).toEqual([{ number: 1, type: 'dashboard:delta', at: 2, count: 2, size: 14, data: '{"b":2}' }]);
  rows = add(rows, 'post', 3);
  rows = add(rows, 'dashboard:delta', 4);
  expect(rows.map(({ number, type, count }) => [number, type, count])).toEqual([
    [3, 'dashboard:delta', 1],
    [2, 'post', 1],
    [1, 'dashboard:delta', 2],
  ]);
});

test('only the newest lines are kept, each with a number of its own', () => {
  let rows: TapeRow[] = [];
  for (let at = 1; at <= 10; at += 1) rows = add(rows, at % 2 === 0 ? 'post' : 'viewers:delta', at);
  expect(rows.map(({ number }) => number)).toEqual([10, 9, 8]);
});

test('every event is explained, and payloads are cut', () => {
  expect(wordsFor('viewers:delta')).toBe('somebody opened or left a page');
  expect(wordsFor('something-new')).toBe('');
  expect(excerpt('x'.repeat(500))).toHaveLength(241);
  expect(excerpt('short')).toBe('short');
});
