import { expect, test } from 'vitest';
import { applyViewers, viewersOf } from './viewers.ts';

const have = {
  version: 3,
  people: 3,
  pages: [
    { page: '/feed', viewers: 2 },
    { page: '/dashboard', viewers: 1 },
  ],
};

test('pages without viewers disappear, and the most viewed come first', () => {
  const next = applyViewers(have, {
    version: 4,
    people: 6,
    pages: [
      { page: '/feed', viewers: 0 },
      { page: '/analytics', viewers: 5 },
    ],
  });
  expect(next).toEqual({
    version: 4,
    people: 6,
    pages: [
      { page: '/analytics', viewers: 5 },
      { page: '/dashboard', viewers: 1 },
    ],
  });
});

test('a delta that the snapshot already contains changes nothing', () => {
  expect(applyViewers(have, { version: 2, people: 99, pages: [] })).toBe(have);
  expect(applyViewers(have, { version: 3, people: 99, pages: [] })?.people).toBe(99);
});

test('without a snapshot there is nothing to apply a delta to', () => {
  expect(applyViewers(undefined, { version: 9, people: 1, pages: [] })).toBeUndefined();
});

test('nobody views a page that is not listed', () => {
  expect(viewersOf(have, '/feed')).toBe(2);
  expect(viewersOf(have, '/')).toBe(0);
  expect(viewersOf(undefined, '/feed')).toBe(0);
});
