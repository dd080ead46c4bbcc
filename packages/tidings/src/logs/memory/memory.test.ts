import { describe, expect, test } from 'vitest';
import { logContract } from '../../testing/log-contract.ts';
import { toNewEvent } from '../../protocol/event.ts';
import { memoryLog } from './index.ts';

describe('the memory log', () => {
  test.each(logContract)('$name', ({ run }) => run(memoryLog));

  test('has a new epoch each time, which makes old cursors foreign', () => {
    expect(memoryLog().tail.epoch).not.toBe(memoryLog().tail.epoch);
  });

  test('refuses an epoch that could not stand in a cursor', () => {
    expect(() => memoryLog({ epoch: 'a b' })).toThrow(expect.objectContaining({ code: 'cursor/invalid' }));
  });
});

test('the memory log remembers a bounded number of ids of superseded events', async () => {
  const log = memoryLog({ topics: [{ match: 'a', state: true }] });
  const append = (id: string, supersededIds: readonly string[] = []): ReturnType<typeof log.append> =>
    log.append([{ ...toNewEvent({ topics: 'a', data: 0, key: 'k', id }), supersededIds }]);
  for (let i = 0; i < 3; i += 1) {
    await append(
      `newest-${i}`,
      Array.from({ length: 6000 }, (_, j) => `${i}-${j}`),
    );
  }
  expect(await append('2-0')).toEqual([{ seq: 3, duplicate: true }]);
  expect(await append('0-0')).toEqual([{ seq: 4, duplicate: false }]);
});
