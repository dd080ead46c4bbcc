import { expect, test } from 'vitest';
import { manualClock } from '../testing/clock.ts';
import { createShortMemory } from './short-memory.ts';

test('an entry is there until its time is over', () => {
  const clock = manualClock();
  const memory = createShortMemory<number>({ clock, keep: 1000, max: 10 });
  memory.set('a', 1);
  clock.advance(999);
  expect(memory.get('a')).toBe(1);
  clock.advance(1);
  expect(memory.get('a')).toBeUndefined();
});

test('an entry is forgotten rather than kept for longer when the clock is set back', () => {
  let now = 1_700_000_000_000;
  const memory = createShortMemory<number>({ clock: { now: () => now }, keep: 1000, max: 10 });
  memory.set('a', 1);
  now -= 3_600_000;
  expect(memory.get('a')).toBeUndefined();
  memory.set('b', 2);
  expect([memory.get('b'), memory.size]).toEqual([2, 1]);
});

test('setting an entry again starts its time anew', () => {
  const clock = manualClock();
  const memory = createShortMemory<number>({ clock, keep: 1000, max: 10 });
  memory.set('a', 1);
  clock.advance(600);
  memory.set('b', 2);
  memory.set('a', 3);
  clock.advance(600);
  expect([memory.get('a'), memory.get('b'), memory.size]).toEqual([3, 2, 2]);
});

test('expired entries free their memory when another comes', () => {
  const clock = manualClock();
  const memory = createShortMemory<number>({ clock, keep: 1000, max: 1000 });
  for (let i = 0; i < 500; i += 1) memory.set(`old ${i}`, i);
  clock.advance(1000);
  memory.set('new', 1);
  expect(memory.size).toBe(1);
});

test('a million entries take the room of the maximum, and the newest stay', () => {
  const memory = createShortMemory<number>({ clock: manualClock(), keep: 1000, max: 100 });
  for (let i = 0; i < 1_000_000; i += 1) memory.set(`key ${i}`, i);
  expect(memory.size).toBe(100);
  expect(memory.get('key 999900')).toBe(999_900);
  expect(memory.get('key 999899')).toBeUndefined();
});

test('a deleted entry is gone', () => {
  const memory = createShortMemory<number>({ clock: manualClock(), keep: 1000, max: 10 });
  memory.set('a', 1);
  memory.delete('a');
  expect([memory.get('a'), memory.size]).toEqual([undefined, 0]);
});
