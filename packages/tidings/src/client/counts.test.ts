import { expect, it } from 'vitest';
import { createCounts } from './counts.ts';

it('a topic is dropped when it was given back as often as it was taken', () => {
  const counts = createCounts(['a', { pattern: 'p/*' }]);
  counts.add(['a', 'b']);
  expect(counts.drop(['a', 'b', { pattern: 'p/*' }])).toEqual(['b', { pattern: 'p/*' }]);
  expect(counts.drop(['a'])).toEqual(['a']);
});

it('a topic that was never taken is dropped, for the server to say what it thinks of that', () => {
  const counts = createCounts([]);
  expect(counts.drop(['a'])).toEqual(['a']);
  counts.add(['a']);
  expect(counts.drop(['a'])).toEqual(['a']);
});
