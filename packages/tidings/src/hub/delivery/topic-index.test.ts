import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Matcher } from '../../protocol/matcher.ts';
import { type MatcherSet, createMatcherSet } from '../../protocol/matcher-set.ts';
import { createPatternSyntax } from '../../protocol/pattern-syntax.ts';
import { topicOfTag } from '../../protocol/tags.ts';
import { TopicIndex } from './topic-index.ts';

interface Subscriber {
  readonly name: string;
  readonly wanted: MatcherSet;
}

function subscriber(name: string, ...matchers: Matcher[]): Subscriber {
  return { name, wanted: createMatcherSet(matchers) };
}

function indexOf(...subscribers: Subscriber[]): TopicIndex<Subscriber> {
  const index = new TopicIndex<Subscriber>();
  for (const each of subscribers) index.add(each);
  return index;
}

function names(found: Iterable<Subscriber>): string[] {
  return Array.from(found, ({ name }) => name).toSorted();
}

describe('the topic index', () => {
  test('finds the subscribers of a topic by name and by pattern', () => {
    const index = indexOf(
      subscriber('exact', 'a/1'),
      subscriber('pattern', { pattern: 'a/:id' }),
      subscriber('other', 'b'),
    );
    expect(names(index.match(['a/1']))).toEqual(['exact', 'pattern']);
    expect(names(index.match(['a/2']))).toEqual(['pattern']);
    expect(names(index.match(['c']))).toEqual([]);
  });

  test('finds patterns of other syntaxes by their beginning in the topic’s own text', () => {
    const compared: string[] = [];
    const syntax = createPatternSyntax({
      name: 'lower',
      subjectOf: (topic) => ({ text: topic.toLowerCase() }),
      compile: (text) => ({
        beginning: text,
        matches(subject) {
          compared.push(text);
          return subject.text.startsWith(text);
        },
      }),
    });
    const own = subscriber('own', { pattern: 'A/*' });
    const foreign = subscriber('foreign', syntax.pattern('a/'));
    const index = indexOf(own, foreign, subscriber('elsewhere', syntax.pattern('b/')));
    expect(names(index.match(['A/1']))).toEqual(['foreign', 'own']);
    expect(names(index.match(['a/1']))).toEqual(['foreign']);
    expect(new Set(compared)).toEqual(new Set(['a/']));
    index.remove(foreign);
    expect(names(index.match(['A/1']))).toEqual(['own']);
    expect(names(index.match(['b/1']))).toEqual(['elsewhere']);
  });

  test('looks for no pattern that matches a tag', () => {
    const index = indexOf(subscriber('all', { pattern: '*' }));
    const tag = topicOfTag('id', 'x') as string;
    expect(names(index.match(['a', tag]))).toEqual(['all']);
    expect(names(index.match([tag]))).toEqual([]);
  });

  test('finds each subscriber once for an event of several topics', () => {
    const index = indexOf(
      subscriber('many', 'a', 'b', { pattern: '*' }),
      subscriber('b', 'b'),
      subscriber('c', 'c'),
    );
    expect(names(index.match(['a', 'b', 'a']))).toEqual(['b', 'many']);
    const exactOnly = indexOf(subscriber('many', 'a', 'b'), subscriber('c', 'c'));
    expect(names(exactOnly.match(['a', 'b']))).toEqual(['many']);
    expect(names(exactOnly.match(['x', 'c']))).toEqual(['c']);
  });

  test('counts the distinct topics and patterns of all subscribers', () => {
    const one = subscriber('one', 'a', { pattern: 'a' });
    const two = subscriber('two', 'a', 'b');
    const index = indexOf(one, two);
    expect(index.size).toBe(3);
    index.remove(two);
    expect(index.size).toBe(2);
    index.remove(one);
    expect(index.size).toBe(0);
  });

  test('finds a pattern that was added after a topic was looked up, and no removed one', () => {
    const index = indexOf(subscriber('first', { pattern: 'a/*' }));
    const late = subscriber('late', { pattern: '*' });
    expect(names(index.match(['a/1']))).toEqual(['first']);
    index.add(late);
    expect(names(index.match(['a/1']))).toEqual(['first', 'late']);
    index.remove(late);
    expect(names(index.match(['a/1']))).toEqual(['first']);
    index.add(late);
    expect(names(index.match(['a/1']))).toEqual(['first', 'late']);
  });

  test('finds the same after more topics than it remembers', () => {
    const index = indexOf(subscriber('even', { pattern: '*0' }), subscriber('all', { pattern: '*' }));
    for (let i = 0; i < 25_000; i += 1) {
      const found = [...index.match([`topic/${i}`])].length;
      if (found !== (i % 10 === 0 ? 2 : 1)) throw new Error(`${found} found for ${i}`);
    }
    expect(names(index.match(['topic/20']))).toEqual(['all', 'even']);
    expect(names(index.match(['topic/21']))).toEqual(['all']);
  });

  test('finds patterns by their literal beginning, however long it is', () => {
    const long = 'x'.repeat(100);
    const index = indexOf(
      subscriber('long', { pattern: `${long}/*` }),
      subscriber('longer', { pattern: `${long}y/*` }),
      subscriber('url', { pattern: 'https://example.com/:id' }),
      subscriber('escaped', { pattern: 'https://localhost\\:80/:id' }),
    );
    expect(names(index.match([`${long}/1`]))).toEqual(['long']);
    expect(names(index.match([`${long}y/1`]))).toEqual(['longer']);
    expect(names(index.match(['https://example.com/1']))).toEqual(['url']);
    expect(names(index.match(['https://localhost:80/1']))).toEqual(['escaped']);
  });

  test('ignores the removal of a subscription it does not have', () => {
    const index = indexOf(subscriber('one', 'a', { pattern: 'b' }));
    index.remove(subscriber('stranger', 'a', 'c', { pattern: 'b' }, { pattern: 'd' }));
    expect(names(index.match(['a', 'b']))).toEqual(['one']);
  });
});

test('the index finds the same subscribers as a full scan, whatever was added and removed', () => {
  const topic = fc.constantFrom('a', 'b', 'a/1', 'a/2', 'b/1', 'c');
  const matcher: fc.Arbitrary<Matcher> = fc.oneof(
    topic,
    fc.constantFrom('a/:id', '*', 'b*', ':x', '*/1').map((pattern) => ({ pattern })),
  );
  const step = fc.oneof(
    fc.record({
      do: fc.constant('add' as const),
      matchers: fc.array(matcher, { minLength: 1, maxLength: 4 }),
    }),
    fc.record({ do: fc.constant('remove' as const), which: fc.nat() }),
    fc.record({ do: fc.constant('match' as const), topics: fc.array(topic, { minLength: 1, maxLength: 3 }) }),
    fc.record({ do: fc.constant('match' as const), topics: fc.array(topic, { minLength: 1, maxLength: 3 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
      const index = new TopicIndex<Subscriber>();
      const there: Subscriber[] = [];
      for (const [i, action] of steps.entries()) {
        if (action.do === 'add') {
          const added = subscriber(`s${i}`, ...action.matchers);
          index.add(added);
          there.push(added);
        } else if (action.do === 'remove') {
          const [removed] = there.splice(action.which % (there.length || 1), 1);
          if (removed !== undefined) index.remove(removed);
        } else {
          const [first = '', ...rest] = action.topics;
          const found = [...index.match([first, ...rest])];
          expect(names(found)).toEqual(names(there.filter(({ wanted }) => wanted.matches(action.topics))));
        }
      }
      const asked = there.flatMap(({ wanted }) => wanted.matchers.map((each) => JSON.stringify(each)));
      expect(index.size).toBe(new Set(asked).size);
    }),
    { numRuns: 300 },
  );
});
