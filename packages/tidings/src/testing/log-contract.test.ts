import { AssertionError } from 'node:assert/strict';
import { describe, expect, test } from 'vitest';
import { brokenKeys } from '../../test/log/broken-keys.ts';
import { brokenLogs, withFault } from '../../test/log/broken-logs.ts';
import { brokenStates } from '../../test/log/broken-states.ts';
import { logContract } from './log-contract.ts';

function caseOf(name: string): (typeof logContract)[number] {
  const found = logContract.find((each) => each.name === name);
  if (found === undefined) throw new Error(`The contract has no case "${name}".`);
  return found;
}

const faults = [...brokenLogs, ...brokenStates, ...brokenKeys];
/** Milliseconds to wait for a log that never answers. */
const WITHIN = 200;

describe('the contract of logs', () => {
  test.each(faults)('notices a log that %s: "%s"', async (_, caughtBy, open) => {
    await expect(caseOf(caughtBy).run(open, WITHIN)).rejects.toThrow();
  });

  test('reports a failure with an AssertionError', async () => {
    const open = withFault(() => ({ losses: () => Promise.resolve([]) }));
    const caught: unknown[] = [];
    for (const { run } of logContract) await run(open).catch((error: unknown) => caught.push(error));
    expect(caught.length).toBeGreaterThan(0);
    expect(caught.every((error) => error instanceof AssertionError)).toBe(true);
  });

  test('has a sentence of its own for each duty', () => {
    const names = logContract.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });

  test('has a broken log for each case', () => {
    const needed = new Set(faults.map(([, caughtBy]) => caughtBy));
    expect(logContract.map(({ name }) => name).filter((name) => !needed.has(name))).toEqual([]);
  });
});
