import { expect, test } from 'vitest';
import { createSource } from './source.ts';

test('a page shows the figures of one node, and asks for those of another one when it falls silent', () => {
  let now = 0;
  let lost = 0;
  const source = createSource(
    () => (lost += 1),
    () => now,
  );
  expect(source.accepts('one')).toBe(false);
  source.begin('one');
  expect([source.accepts('two'), source.accepts('one')]).toEqual([false, true]);
  now = 4_000;
  expect([source.accepts('two'), lost]).toEqual([false, 0]);
  now = 6_000;
  expect([source.accepts('two'), lost]).toEqual([false, 1]);
  now = 7_000;
  expect([source.accepts('two'), lost]).toEqual([false, 1]);
  source.begin('two');
  expect([source.accepts('two'), source.accepts('one'), lost]).toEqual([true, false, 1]);
});

test('a page that was away for long still shows its own node', () => {
  let now = 0;
  let lost = 0;
  const source = createSource(
    () => (lost += 1),
    () => now,
  );
  source.begin('one');
  now = 60_000;
  expect([source.accepts('one'), source.accepts('two'), lost]).toEqual([true, false, 0]);
});
