import { expect, test } from 'vitest';
import { rankAfter } from './rank.ts';

const DAY = 86_400_000;
const NOW = 20_000 * DAY;

test('views of one moment add up, in one step or in many', () => {
  let rank: number | undefined;
  for (let i = 0; i < 8; i += 1) rank = rankAfter(rank, 1, NOW);
  expect(rank).toBeCloseTo(rankAfter(undefined, 8, NOW), 9);
});

test('a view is worth two of the day before', () => {
  expect(rankAfter(undefined, 1, NOW + DAY)).toBeCloseTo(rankAfter(undefined, 2, NOW), 9);
});

test('a page that was viewed often loses to one that is viewed now, after enough days', () => {
  const often = rankAfter(undefined, 100, NOW);
  expect(rankAfter(undefined, 1, NOW + 6 * DAY)).toBeLessThan(often);
  expect(rankAfter(undefined, 1, NOW + 7 * DAY)).toBeGreaterThan(often);
});

test('an old rank neither vanishes in nor overflows a new one', () => {
  expect(rankAfter(0, 1, NOW)).toBeCloseTo(20_000, 9);
  expect(rankAfter(20_000, 1, 0)).toBeCloseTo(20_000, 9);
});
