import { expect, it } from 'vitest';
import { countedChanges, createCounts } from './counts.ts';
import type { Wish } from './topic-progress.ts';

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

it('a change that failed counts for nothing', async () => {
  const sent: Wish[] = [];
  let works = false;
  const change = countedChanges(['a'], async (wish) => {
    sent.push(wish);
    if (!works) throw new Error('no');
    return 'e.1';
  });
  const failed = [
    change({ add: ['b'], drop: [] }),
    change({ add: [], drop: ['a'] }),
    change({ add: [], drop: ['c'] }),
  ];
  await Promise.all(failed.map((each) => expect(each).rejects.toThrow('no')));
  works = true;
  // Another component takes both.
  await change({ add: ['a', 'b', 'c'], drop: [] });
  sent.length = 0;
  await change({ add: [], drop: ['a'] });
  await change({ add: [], drop: ['a', 'b', 'c'] });
  expect(sent).toEqual([{ add: [], drop: ['a', 'b', 'c'] }]);
});
