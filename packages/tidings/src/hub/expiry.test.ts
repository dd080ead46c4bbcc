import { expect, test } from 'vitest';
import { dueOf } from './expiry.ts';

const times = { stallTimeout: 100, maxLifetime: 10_000, expiryNotice: 50 };
const connection = { id: 'a', request: {}, admittedAt: 0, blockedAt: undefined };

test('a connection without anything due is left alone', () => {
  expect(dueOf(connection, times, 5000, 5000)).toBeUndefined();
  expect(dueOf(connection, { ...times, maxLifetime: Infinity }, 1e15, 1e15)).toBeUndefined();
});

test('a peer that accepts nothing for the stall time is stalled, whatever else is due', () => {
  const blocked = { ...connection, request: { expiresAt: 0 }, blockedAt: 1000 };
  expect([1099, 1100].map((at) => dueOf(blocked, times, 0, at))).toEqual(['expired', 'stalled']);
});

test('an authorization expires by the time of day, after a notice', () => {
  const dated = { ...connection, request: { expiresAt: 1_000_000 } };
  const at = [999_949, 999_950, 999_999, 1_000_000];
  expect(at.map((now) => dueOf(dated, times, now, 0))).toEqual([
    undefined,
    'expiring',
    'expiring',
    'expired',
  ]);
});

test('lifetimes end spread over their last tenth, each at the same time for the same connection', () => {
  const ids = Array.from({ length: 200 }, (_, i) => `connection-${i}`);
  const endOf = (id: string): number => {
    let at = 8999;
    while (dueOf({ ...connection, id }, times, 0, at) === undefined) at += 1;
    return at;
  };
  const ends = ids.map(endOf);
  expect(ids.map(endOf)).toEqual(ends);
  expect(Math.min(...ends)).toBeGreaterThanOrEqual(9000);
  expect(Math.max(...ends)).toBeLessThanOrEqual(10_000);
  expect(new Set(ends).size).toBeGreaterThan(100);
});
