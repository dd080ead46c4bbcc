import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createMatcherSet } from '../protocol/matcher-set.ts';
import { TopicWalk, TopicWalks } from './topic-walk.ts';

/** Walks over an index, so many names at a time. @returns the names looked at. */
function walkThrough(walk: TopicWalk, index: readonly string[], step: number): string[] {
  const sorted = index.toSorted();
  const looked: string[] = [];
  for (let { next } = walk; next !== undefined; { next } = walk) {
    const { prefix, after = '' } = next;
    const rest = sorted.filter((name) => name.startsWith(prefix) && name > after);
    const names = rest.slice(0, step);
    looked.push(...names);
    walk.take(names, names.length === rest.length);
  }
  return looked;
}

test('A walk finds every topic that is asked for, and looks at no name twice, however often it stops', () => {
  const name = fc.stringMatching(/^[ab/]{1,4}$/);
  const pattern = fc.constantFrom('*', '*b', 'a*', 'ab*', 'a/:id', 'b*a', ':x/b', 'a/*');
  fc.assert(
    fc.property(
      fc.uniqueArray(name, { maxLength: 40 }),
      fc.uniqueArray(pattern, { maxLength: 4 }),
      fc.uniqueArray(name, { maxLength: 2 }),
      fc.integer({ min: 1, max: 9 }),
      (index, patterns, topics, step) => {
        const matchers = createMatcherSet([...topics, ...patterns.map((each) => ({ pattern: each }))]);
        const walk = new TopicWalk({ matchers, until: 9, most: 100 });
        const looked = walkThrough(walk, index, step);
        expect(new Set(looked).size).toBe(looked.length);
        const expected = new Set([...topics, ...index.filter((each) => matchers.matchesTopic(each))]);
        expect(new Set(walk.topics)).toEqual(expected);
      },
    ),
  );
});

test('A walk that finds too many topics ends early and gives none', () => {
  const index = Array.from({ length: 100 }, (_, i) => `t/${i}`);
  const walk = new TopicWalk({ matchers: createMatcherSet([{ pattern: '*' }]), until: 9, most: 20 });
  expect(walkThrough(walk, index, 5)).toHaveLength(25);
  expect(walk.isTooMany).toBe(true);
  expect(walk.topics).toBeUndefined();
});

test('A reader’s walk goes on from page to page, and begins anew for events after it began', () => {
  const walks = new TopicWalks();
  const matchers = createMatcherSet([{ pattern: '*' }]);
  const begin = (until: number) => (): TopicWalk => new TopicWalk({ matchers, until, most: 9 });
  const first = walks.of(matchers, 3, begin(5));
  expect(walks.of(matchers, 5, begin(8))).toBe(first);
  const second = walks.of(matchers, 6, begin(8));
  expect(second).not.toBe(first);
  expect(walks.of(createMatcherSet(['a']), 3, begin(8))).not.toBe(second);
});
