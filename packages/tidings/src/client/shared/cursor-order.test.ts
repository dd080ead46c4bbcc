import { expect, it } from 'vitest';
import { distance, orderOf, reaches } from './cursor-order.ts';

it('cursors of one epoch are in the order of their numbers, not of their text', () => {
  expect([orderOf('e.9', 'e.10'), orderOf('e.10', 'e.9'), orderOf('e.9', 'e.9')]).toEqual([
    'before',
    'after',
    'same',
  ]);
  expect([reaches('e.10', 'e.9'), reaches('e.9', 'e.9'), reaches('e.9', 'e.10')]).toEqual([
    true,
    true,
    false,
  ]);
});

it('of cursors of two epochs, and of anything else, nothing is known', () => {
  expect([orderOf('e.1', 'f.1'), orderOf('e.1', 'earliest'), orderOf('x', 'y')]).toEqual(
    Array(3).fill('unknown'),
  );
  expect([reaches('e.1', 'f.1'), distance('e.1', 'f.9'), distance('e.1', 'e.9')]).toEqual([
    false,
    Infinity,
    8,
  ]);
});
