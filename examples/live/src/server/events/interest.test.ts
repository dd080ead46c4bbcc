import { expect, test } from 'vitest';
import { manualClock } from '../testing/clock.ts';
import { createInterest } from './interest.ts';

test('a topic is of interest while somebody watches, and between a snapshot and the stream that follows it', () => {
  const clock = manualClock();
  let watchers = 0;
  let present = 0;
  const interest = createInterest(
    { watchers: () => watchers, presence: () => ({ count: present, members: [] }) },
    'connections',
    clock,
  );
  expect(interest.lasts()).toBe(false);
  interest.show();
  clock.advance(5_000);
  expect(interest.lasts()).toBe(true);
  watchers = 1;
  clock.advance(100_000);
  expect(interest.lasts()).toBe(true);
  watchers = 0;
  clock.advance(4_000);
  expect(interest.lasts()).toBe(true);
  clock.advance(60_000);
  expect(interest.lasts()).toBe(false);
  // At another node.
  present = 1;
  expect(interest.lasts()).toBe(true);
});
