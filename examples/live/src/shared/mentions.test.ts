import { expect, test } from 'vitest';
import { cpuTime } from '../../../../scripts/deadline.ts';
import { findMentions } from './mentions.ts';

const names = (text: string): string[] => findMentions(text).map(({ name }) => name);

test('finds names at the beginning, in the middle, at the end and next to punctuation', () => {
  expect(names('@ann, (@bob)! and @c_3.')).toEqual(['ann', 'bob', 'c_3']);
});

test('gives the position of the name, with its @', () => {
  const [mention] = findMentions('hi @ann!');
  expect(mention).toEqual({ name: 'ann', start: 3, end: 7 });
});

test.each(['mail@example.org', 'ann.@bob', '@@ann', '@a', '@', '@-', `@${'x'.repeat(25)}`, '@annä', 'é@ann'])(
  'finds nothing in %s',
  (text) => {
    expect(names(text)).toEqual([]);
  },
);

test('takes no longer for a text made to be slow', () => {
  const started = cpuTime();
  names('@a'.repeat(250));
  names('@'.repeat(500));
  expect(cpuTime() - started).toBeLessThan(100);
});
