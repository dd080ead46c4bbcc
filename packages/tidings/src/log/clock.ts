import { type Check, aFunction, assertNoPromise, describe, invalidOption } from '../protocol/options.ts';

/** Checks a log's option `now`; `assertNow` also checks its answer. */
export const NOW: Check = aFunction;

/** @throws {TidingsError} `hub/invalid-option` unless `now` answers with a number of milliseconds. */
export function assertNow(now: () => number): void {
  const time = now();
  assertNoPromise('now', time);
  if (Number.isFinite(time)) return;
  throw invalidOption('now', `Expected \`now\` to return milliseconds since 1970, got ${describe(time)}.`);
}
