import { expect, test } from 'vitest';
import { manualClock } from '../testing/clock.ts';
import { createRateStore } from './rate-store.ts';

test('requests are counted per sender until the window is over', async () => {
  const clock = manualClock();
  const store = createRateStore({ clock, window: 60_000, max: 10 });
  await store.increment('a');
  clock.advance(30_000);
  expect(await store.increment('b')).toMatchObject({ totalHits: 1 });
  expect(await store.increment('a')).toEqual({ totalHits: 2, resetTime: new Date(clock.now() + 30_000) });
  clock.advance(30_000);
  expect(await store.increment('a')).toMatchObject({ totalHits: 1 });
  expect(await store.increment('b')).toMatchObject({ totalHits: 2 });
});

test('a withdrawn request does not count', async () => {
  const store = createRateStore({ clock: manualClock(), window: 60_000, max: 10 });
  await store.increment('a');
  await store.decrement('a');
  await store.decrement('a');
  expect(await store.increment('a')).toMatchObject({ totalHits: 1 });
});

test('a flood of senders makes it forget the oldest windows, and no later one', async () => {
  const store = createRateStore({ clock: manualClock(), window: 60_000, max: 100 });
  await store.increment('first');
  for (let i = 0; i < 99; i += 1) await store.increment(`sender ${i}`);
  expect(await store.increment('first')).toMatchObject({ totalHits: 2 });
  await store.increment('one more');
  expect(await store.increment('sender 0')).toMatchObject({ totalHits: 2 });
  expect(await store.increment('first')).toMatchObject({ totalHits: 1 });
});
