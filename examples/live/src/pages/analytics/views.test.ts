import { expect, test } from 'vitest';
import { applyViews, lastMinutes, MINUTE, SHOWN_MINUTES, viewsOf } from './views.ts';

const NOON = 1_000 * MINUTE;

const state = viewsOf({
  cursor: 'e.1',
  minutes: [
    { at: NOON - MINUTE, views: 0 },
    { at: NOON, views: 2 },
  ],
  pages: [{ page: '/feed', total: 5 }],
  total: 5,
});

test('the chart ends with the current minute and has no holes', () => {
  const minutes = lastMinutes(state, NOON + 30_000);
  expect(minutes).toHaveLength(SHOWN_MINUTES);
  expect(minutes.at(-1)).toEqual({ at: NOON, views: 2 });
  expect(minutes.at(-2)).toEqual({ at: NOON - MINUTE, views: 0 });
});

test('minutes move on without new views', () => {
  expect(
    lastMinutes(state, NOON + 2 * MINUTE)
      .map(({ views }) => views)
      .slice(-3),
  ).toEqual([2, 0, 0]);
});

test('a delta applied twice counts once', () => {
  const delta = {
    minutes: [{ at: NOON, views: 3 }],
    pages: [
      { page: '/feed', total: 6 },
      { page: '/', total: 9 },
    ],
    total: 15,
  };
  const once = applyViews(state, delta);
  expect(applyViews(once, delta)).toEqual(once);
  expect(once.pages.map(({ page }) => page)).toEqual(['/', '/feed']);
  expect(lastMinutes(once, NOON).at(-1)?.views).toBe(3);
});

test('a page that the server dropped disappears', () => {
  const delta = {
    minutes: [],
    pages: [
      { page: '/feed', total: 0 },
      { page: '(other)', total: 5 },
    ],
    total: 5,
  };
  expect(applyViews(state, delta).pages).toEqual([{ page: '(other)', total: 5 }]);
});

test('minutes beyond every chart are forgotten', () => {
  const later = { minutes: [{ at: NOON + SHOWN_MINUTES * MINUTE, views: 1 }], pages: [], total: 6 };
  expect(applyViews(state, later).minutes.size).toBe(1);
});
