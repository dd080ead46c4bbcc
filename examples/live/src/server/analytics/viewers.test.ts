import { beforeEach, expect, test } from 'vitest';
import type { ViewersDelta } from '../../shared/api.ts';
import { manualClock } from '../testing/clock.ts';
import type { ManualClock } from '../testing/clock.ts';
import { createViewers } from './viewers.ts';
import type { Viewers } from './viewers.ts';

let clock: ManualClock;
let told: ViewersDelta[];
let viewers: Viewers;

beforeEach(() => {
  clock = manualClock();
  told = [];
  viewers = createViewers({
    clock,
    grace: 5000,
    maxPages: 3,
    announce: (...announcements) => {
      for (const { data } of announcements) told.push(data as ViewersDelta);
      return Promise.resolve();
    },
  });
});

const counts = (): Record<string, number> =>
  Object.fromEntries(viewers.snapshot().pages.map(({ page, viewers: count }) => [page, count]));

/** What was told since the last call, without the versions. */
function toldNow(): unknown[] {
  return told.splice(0).map(({ version: _, ...delta }) => delta);
}

test('people are counted up as they come and down as they go', () => {
  const leaveA = viewers.enter('/feed', 'a');
  clock.advance(200);
  viewers.enter('/feed', 'b');
  clock.advance(200);
  leaveA();
  clock.advance(5200);
  expect(toldNow()).toEqual([
    { pages: [{ page: '/feed', viewers: 1 }], people: 1 },
    { pages: [{ page: '/feed', viewers: 2 }], people: 2 },
    { pages: [{ page: '/feed', viewers: 1 }], people: 1 },
  ]);
  expect(counts()).toEqual({ '/feed': 1 });
});

test('two tabs are one viewer, until the last is closed', () => {
  const [one, two] = [viewers.enter('/feed', 'a'), viewers.enter('/feed', 'a')];
  expect(counts()).toEqual({ '/feed': 1 });
  one();
  clock.advance(10_000);
  expect(counts()).toEqual({ '/feed': 1 });
  two();
  clock.advance(5000);
  expect(counts()).toEqual({});
});

test('a reload within the grace time moves nothing', () => {
  const leave = viewers.enter('/feed', 'a');
  clock.advance(1000);
  toldNow();
  leave();
  clock.advance(4999);
  expect(counts()).toEqual({ '/feed': 1 });
  viewers.enter('/feed', 'a');
  clock.advance(60_000);
  expect(counts()).toEqual({ '/feed': 1 });
  expect(toldNow()).toEqual([]);
});

test('each grace begins with its own leaving, also after a reload', () => {
  const [a, b] = [viewers.enter('/feed', 'a'), viewers.enter('/feed', 'b')];
  a();
  clock.advance(3000);
  b();
  const again = viewers.enter('/feed', 'a');
  clock.advance(1000);
  again();
  clock.advance(3999);
  expect(counts()).toEqual({ '/feed': 2 });
  clock.advance(1);
  expect(counts()).toEqual({ '/feed': 1 });
  clock.advance(1000);
  expect(counts()).toEqual({});
});

test('one person on two pages is one of the people', () => {
  viewers.enter('/feed', 'a');
  const leave = viewers.enter('/dashboard', 'a');
  expect(viewers.snapshot()).toMatchObject({
    people: 1,
    pages: [
      { page: '/dashboard', viewers: 1 },
      { page: '/feed', viewers: 1 },
    ],
  });
  leave();
  clock.advance(5000);
  expect(viewers.snapshot()).toMatchObject({ people: 1, pages: [{ page: '/feed', viewers: 1 }] });
});

test('a rush is told as one event', () => {
  for (let i = 0; i < 1000; i += 1) viewers.enter('/feed', `visitor ${i}`);
  clock.advance(200);
  expect(toldNow()).toEqual([{ pages: [{ page: '/feed', viewers: 1000 }], people: 1000 }]);
});

test('who comes and goes unseen is not told', () => {
  viewers.enter('/feed', 'a');
  clock.advance(200);
  toldNow();
  const leave = viewers.enter('/feed', 'b');
  leave();
  clock.advance(199);
  viewers.enter('/feed', 'b');
  clock.advance(10_000);
  expect(toldNow()).toHaveLength(1);
});

test('pages beyond the maximum are counted together', () => {
  for (const page of ['/1', '/2', '/3', '/4', '/5']) viewers.enter(page, page);
  expect(counts()).toEqual({ '/1': 1, '/2': 1, '/3': 1, '(other)': 2 });
});

test('versions grow, so that a delta from before a snapshot can be told', () => {
  viewers.enter('/feed', 'a');
  const first = viewers.snapshot().version;
  clock.advance(200);
  const [delta] = told;
  expect(delta?.version).toBeGreaterThan(first);
  expect(viewers.snapshot().version).toBeGreaterThan(delta?.version ?? Infinity);
});

test('a thousand that come and go leave nothing behind, not even a timer', () => {
  const leaves = Array.from({ length: 1000 }, (_, i) => viewers.enter(`/${i % 3}`, `visitor ${i}`));
  for (const leave of leaves) leave();
  expect(clock.timers).toBeLessThanOrEqual(2);
  clock.advance(5200);
  expect(viewers.snapshot()).toMatchObject({ pages: [], people: 0 });
  expect(clock.timers).toBe(0);
});
