import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Matcher } from './matcher.ts';
import { createMatcherSet } from './matcher-set.ts';

const exact: fc.Arbitrary<Matcher> = fc.constantFrom('a', 'b', 'a/b', 'user/1', '*', ':x');
const pattern: fc.Arbitrary<Matcher> = fc
  .constantFrom('*', ':x', 'user/:id', 'user/*', 'a*', '*/b', 'a', String.raw`\*`)
  .map((text) => ({ pattern: text }));
const matchers = fc.array(fc.oneof(exact, pattern), { maxLength: 5 });
const topics = ['a', 'b', 'a/b', 'user/1', 'user/2', 'user/1/x', '*', ':x', 'c', 'ab'];

describe('a set of matchers', () => {
  test('matches nothing and covers nothing if it is empty', () => {
    const nothing = createMatcherSet([]);
    expect(nothing.matches(topics)).toBe(false);
    expect(nothing.covers('a')).toBe(false);
    expect(nothing.covers({ pattern: 'a' })).toBe(false);
  });

  test('matches what one of them matches', () => {
    const set = createMatcherSet(['a', { pattern: 'user/:id' }]);
    expect(topics.filter((topic) => set.matchesTopic(topic))).toEqual(['a', 'user/1', 'user/2']);
    expect(set.matches(['c', 'b'])).toBe(false);
    expect(set.matches(['c', 'user/1'])).toBe(true);
    expect(set.matches([])).toBe(false);
  });

  test('of many patterns matches as many sets of one pattern do', () => {
    const many = fc.array(pattern, { minLength: 5, maxLength: 30, size: 'max' });
    const more = fc.nat(99).map((n) => ({ pattern: `user/${n}/*` }));
    fc.assert(
      fc.property(many, fc.array(more, { minLength: 5, maxLength: 30 }), (some, others) => {
        const wanted = [...some, ...others];
        const set = createMatcherSet(wanted);
        for (const topic of [...topics, 'user/50/x', 'user/7/']) {
          const matched = wanted.some((matcher) => createMatcherSet([matcher]).matchesTopic(topic));
          expect([topic, set.matchesTopic(topic)]).toEqual([topic, matched]);
        }
      }),
    );
  });

  test('takes a topic literally, even where it looks like a pattern', () => {
    const set = createMatcherSet(['*', ':x']);
    expect(topics.filter((topic) => set.matchesTopic(topic))).toEqual(['*', ':x']);
  });

  test('has each matcher once, topics first', () => {
    const set = createMatcherSet([{ pattern: 'a' }, 'b', 'a', 'b', { pattern: 'a' }]);
    expect(set.matchers).toEqual(['b', 'a', { pattern: 'a' }]);
  });

  test.each([
    ['topic/invalid', ['']],
    ['topic/invalid', ['a', 'b\n']],
    ['topic/too-long', ['x'.repeat(11)]],
    ['topic/invalid-pattern', [{ pattern: '' }]],
    ['topic/invalid-pattern', [{ pattern: '(' }]],
    ['topic/invalid-pattern', [{ pattern: 'a\nb' }]],
    ['topic/invalid-pattern', [{}]],
    ['topic/invalid', [5]],
    ['topic/invalid', [null]],
    ['topic/invalid', [undefined]],
    ['topic/invalid-pattern', [['a']]],
  ])('is refused with %s for %j', (code, wanted) => {
    expect(() => createMatcherSet(wanted as Matcher[], 10)).toThrow(
      expect.objectContaining({ code, status: 400 }),
    );
  });

  test('has a key that is equal only for sets of the same matchers', () => {
    fc.assert(
      fc.property(matchers, matchers, (a, b) => {
        const distinct = (list: readonly Matcher[]): string[] =>
          [...new Set(list.map((each) => JSON.stringify(each)))].toSorted();
        const same = JSON.stringify(distinct(a)) === JSON.stringify(distinct(b));
        expect(createMatcherSet(a).key === createMatcherSet(b).key).toBe(same);
      }),
      { numRuns: 500 },
    );
  });

  test('has a key that does not depend on the order', () => {
    const shuffled = fc
      .uniqueArray(fc.oneof(exact, pattern), { selector: (each) => JSON.stringify(each) })
      .chain((list) => fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })));
    fc.assert(
      fc.property(shuffled, ([list, same]) => {
        expect(createMatcherSet(list).key).toBe(createMatcherSet(same).key);
      }),
    );
  });

  test('has a key that no pattern can make equal to another set’s', () => {
    // A stranger's pattern must not pass for a set of others: their subscribers would get the pattern's events.
    const hostile = fc.string({
      unit: fc.constantFrom('x', '\n', '\0', 'y', '/'),
      minLength: 1,
      maxLength: 4,
    });
    const any = fc.array(
      fc.oneof(
        hostile,
        hostile.map((text) => ({ pattern: text })),
      ),
      { maxLength: 3 },
    );
    fc.assert(
      fc.property(any, any, (a, b) => {
        const keys = [a, b].map((list) => {
          try {
            const set = createMatcherSet(list);
            return {
              key: set.key,
              matchers: JSON.stringify(set.matchers.map((each) => JSON.stringify(each)).toSorted()),
            };
          } catch (error) {
            expect(error).toMatchObject({ status: 400 });
            return undefined;
          }
        });
        const [first, second] = keys;
        if (first !== undefined && first.key === second?.key) expect(first.matchers).toBe(second.matchers);
      }),
      { numRuns: 500 },
    );
  });
});

describe('a matcher that a set covers', () => {
  test('is in the set, is a topic that its patterns match, or is anything if the set has `*`', () => {
    const set = createMatcherSet(['a', { pattern: 'user/:id' }]);
    expect(set.covers('a')).toBe(true);
    expect(set.covers('user/7')).toBe(true);
    expect(set.covers({ pattern: 'user/:id' })).toBe(true);
    expect(set.covers('b')).toBe(false);
    expect(set.covers('user/7/8')).toBe(false);
    expect(createMatcherSet([{ pattern: '*' }]).covers({ pattern: 'any/:thing/*' })).toBe(true);
  });

  test('is never a pattern that could match more', () => {
    const set = createMatcherSet(['*', 'user/1', { pattern: 'user/:id' }, { pattern: 'a*' }]);
    for (const wider of ['*', 'user/*', ':x', ':y/:z', 'user/:other', '*/b', 'a']) {
      expect([wider, set.covers({ pattern: wider })]).toEqual([wider, false]);
    }
  });

  test('matches no topic that the set does not match', () => {
    fc.assert(
      fc.property(matchers, fc.oneof(exact, pattern), (list, matcher) => {
        const set = createMatcherSet(list);
        if (!set.covers(matcher)) return;
        const matched = topics.filter((topic) => createMatcherSet([matcher]).matchesTopic(topic));
        expect(matched.filter((topic) => !set.matchesTopic(topic))).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });
});
