import { describe, expect, test } from 'vitest';
import { logContract } from '../../testing/log-contract.ts';
import { memoryLog } from './index.ts';

describe('the memory log', () => {
  test.each(logContract)('$name', ({ run }) => run(memoryLog));

  test('has another epoch each time, so that old cursors are known to be foreign', () => {
    expect(memoryLog().tail.epoch).not.toBe(memoryLog().tail.epoch);
  });

  test('refuses an epoch that could not stand in a cursor', () => {
    expect(() => memoryLog({ epoch: 'a b' })).toThrow(expect.objectContaining({ code: 'cursor/invalid' }));
  });
});
