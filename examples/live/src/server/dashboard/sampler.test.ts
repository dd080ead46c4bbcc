import { createHub } from 'tidings';
import type { HubStats } from 'tidings';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { manualClock } from '../testing/clock.ts';
import type { ManualClock } from '../testing/clock.ts';
import { createSampler } from './sampler.ts';
import type { Sampler } from './sampler.ts';

let clock: ManualClock;
let stats: HubStats;
let greeted: number;
/** Since which flush the lag was asked for. */
let asked: (number | undefined)[];
let sampler: Sampler;

beforeEach(() => {
  clock = manualClock();
  stats = createHub().stats();
  greeted = 0;
  asked = [];
  sampler = createSampler({
    clock,
    hub: {
      stats(options = {}) {
        asked.push(options.lagSince);
        return stats;
      },
    },
    usersOnline: () => 3,
    greetedBytes: () => greeted,
    posts: () => 1,
    pageViews: () => 2,
  });
});
afterEach(() => sampler.close());

test('rates cover the time since the previous sample, and are unknown at first', () => {
  expect(sampler.sample()).toMatchObject({ bytesPerSecond: null, publishedPerSecond: null, usersOnline: 3 });
  clock.advance(2000);
  stats = { ...stats, bytes: 600, published: 10, delivered: 20 };
  expect(sampler.sample()).toMatchObject({
    bytesPerSecond: 300,
    publishedPerSecond: 5,
    deliveredPerSecond: 10,
  });
});

test('snapshots that greet connections do not count as traffic', () => {
  sampler.sample();
  clock.advance(1000);
  stats = { ...stats, bytes: 40_100 };
  greeted = 40_000;
  expect(sampler.sample().bytesPerSecond).toBe(100);
  clock.advance(1000);
  // One is counted before the hub has written it.
  greeted = 80_000;
  expect(sampler.sample().bytesPerSecond).toBe(0);
});

test('delays are unknown for a time in which nothing was delivered', () => {
  expect(sampler.sample().lagP99).toBeNull();
  stats = { ...stats, flushes: 5, deliveryLag: { p50: 0.5, p99: 2.25 } };
  expect(sampler.sample()).toMatchObject({ lagP50: 0.5, lagP99: 2.25 });
  expect(sampler.sample()).toMatchObject({ lagP50: null, lagP99: null });
  // Of the last interval alone.
  expect(asked).toEqual([0, 0, 5]);
});
