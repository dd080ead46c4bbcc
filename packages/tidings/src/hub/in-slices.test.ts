import { expect, test } from 'vitest';
import { inTurns } from '../../test/model/turns.ts';
import { createManualClock } from '../testing/manual-clock.ts';
import { inSlices } from './in-slices.ts';

test('an item that throws does not keep those behind it from their turn', () => {
  const clock = inTurns(createManualClock());
  const worked: number[] = [];
  let isDone = false;
  const begin = (): void =>
    inSlices(clock, Array.from({ length: 6 }, (_, i) => i).values(), {
      work(item) {
        if (item === 1) throw new Error('careless');
        worked.push(item);
      },
      most: 3,
      done: () => (isDone = true),
    });
  expect(begin).toThrow('careless');
  for (let turns = 0; turns < 3; turns += 1) clock.turn();
  expect([worked, isDone]).toEqual([[0, 2, 3, 4, 5], true]);
});
