import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Pattern } from './pattern.ts';
import { SortedPatterns } from './sorted-patterns.ts';

const sort = (...patterns: readonly string[]): SortedPatterns =>
  new SortedPatterns(patterns.map((pattern) => new Pattern(pattern)));

describe('sorted patterns', () => {
  test('match a topic if one of them does', () => {
    const patterns = sort('user/:id', 'user/1/*', 'post', 'u*', '*/end', ':a/b');
    const topics = ['user/7', 'user/1/x', 'post', 'under', 'x/end', 'x/b', 'posts', 'a', 'zz'];
    expect(topics.filter((topic) => patterns.matches(topic))).toEqual(topics.slice(0, 6));
  });

  test('match nothing if there are none', () => {
    expect(sort().matches('a')).toBe(false);
  });

  test('answer as checking each pattern by itself would', () => {
    const unit = fc.constantFrom('a', 'b', 'aa', 'ab', '/', '\u{1f600}', '\uff5e');
    const literal = fc.string({ unit, minLength: 1, maxLength: 5 });
    const pattern = fc.oneof(
      literal,
      literal.map((text) => `${text}*`),
      literal.map((text) => `*${text}`),
      literal.map((text) => `${text}/:n`),
      literal.map((text) => `${text}\\*`),
    );
    fc.assert(
      fc.property(
        fc.array(pattern, { maxLength: 20 }),
        fc.array(literal, { maxLength: 20 }),
        (list, topics) => {
          const patterns = sort(...list);
          const each = list.map((one) => new Pattern(one));
          for (const topic of topics.flatMap((text) => [text, `${text}a`, `${text}/x`, `${text}*`])) {
            expect([topic, patterns.matches(topic)]).toEqual([topic, each.some((one) => one.matches(topic))]);
          }
        },
      ),
      { numRuns: 1000 },
    );
  });
});
