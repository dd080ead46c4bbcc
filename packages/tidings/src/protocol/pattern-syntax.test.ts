import { describe, expect, test } from 'vitest';
import { createMatcherSet } from './matcher-set.ts';
import { createPatternSyntax } from './pattern-syntax.ts';

/** Patterns of words in any case: `beginning|end`. */
function words() {
  const compiled: string[] = [];
  const looked: string[] = [];
  const syntax = createPatternSyntax({
    name: 'words',
    subjectOf(topic) {
      looked.push(topic);
      return topic.includes('?') ? undefined : { text: topic.toLowerCase() };
    },
    compile(text) {
      compiled.push(text);
      const [begin = '', end = ''] = text.toLowerCase().split('|');
      return {
        beginning: begin,
        matches: (subject) => subject.text.startsWith(begin) && subject.text.endsWith(end),
      };
    },
  });
  return { syntax, compiled, looked };
}

describe('a pattern in another syntax', () => {
  test('is asked for and granted as a matcher', () => {
    const { syntax } = words();
    const set = createMatcherSet(['x', { pattern: 'b/*' }, syntax.pattern('a|z')]);
    for (const topic of ['x', 'b/1', 'a-z', 'A-Z']) expect(set.matchesTopic(topic)).toBe(true);
    for (const topic of ['a', 'X', 'a?z']) expect(set.matchesTopic(topic)).toBe(false);
    expect(set.matches(['nothing', 'AZ'])).toBe(true);
  });

  test('is not that of another syntax with the same name', () => {
    const syntaxOf = (end: string) =>
      createPatternSyntax({
        name: 'same',
        subjectOf: (topic) => ({ text: topic }),
        compile: (text) => ({ beginning: text, matches: (subject) => subject.text === text + end }),
      });
    const sets = ['1', '2'].map((end) => createMatcherSet([syntaxOf(end).pattern('a')]));
    expect(sets.map((set) => ['a1', 'a2'].filter((topic) => set.matchesTopic(topic)))).toEqual([
      ['a1'],
      ['a2'],
    ]);
    expect(sets[0]?.key).not.toBe(sets[1]?.key);
  });

  test('survives being taken from a set and put into another', () => {
    const { syntax } = words();
    const set = createMatcherSet(createMatcherSet(['x', syntax.pattern('a|z')]).matchers);
    expect(set.matchesTopic('a-z')).toBe(true);
    expect(set.key).toBe(createMatcherSet([syntax.pattern('a|z'), 'x']).key);
  });

  test('is another pattern than one of the hub’s own with the same text', () => {
    const { syntax } = words();
    const own = createMatcherSet([{ pattern: 'a*' }]);
    expect(own.key).not.toBe(createMatcherSet([syntax.pattern('a*')]).key);
    expect(own.covers(syntax.pattern('a*'))).toBe(false);
    expect(createMatcherSet([{ pattern: '*' }]).covers(syntax.pattern('a*'))).toBe(true);
    expect(createMatcherSet([syntax.pattern('a*')]).covers(syntax.pattern('a*'))).toBe(true);
  });

  test('is found among many', () => {
    const { syntax } = words();
    const own = Array.from({ length: 20 }, (_, i) => ({ pattern: `own/${i}/*` }));
    const set = createMatcherSet([...own, syntax.pattern('a|z')]);
    expect(set.matchesTopic('own/7/x')).toBe(true);
    expect(set.matchesTopic('A z')).toBe(true);
    expect(set.matchesTopic('b z')).toBe(false);
  });

  test('is compiled once for all who have it, and looks at a topic once', () => {
    const { syntax, compiled, looked } = words();
    const sets = [1, 2, 3].map(() => createMatcherSet([syntax.pattern('once|z'), syntax.pattern('twice|z')]));
    for (const set of sets) expect(set.matchesTopic('twice z')).toBe(true);
    expect(compiled).toEqual(['once|z', 'twice|z']);
    expect(looked).toEqual(['twice z']);
  });

  test('never matches the hub’s own topics', () => {
    const { syntax } = words();
    const set = createMatcherSet([syntax.pattern('|')]);
    expect(set.matchesTopic('anything')).toBe(true);
    expect(set.matchesTopic('\u0001nodes')).toBe(false);
    expect(set.matchesTopic('tidings/runs/1')).toBe(false);
  });

  test('shows its text and its syntax in JSON', () => {
    const { syntax } = words();
    expect(JSON.parse(JSON.stringify([syntax.pattern('a|z')]))).toEqual([
      { pattern: 'a|z', syntax: 'words' },
    ]);
  });

  test.each([
    ['an empty text', ''],
    ['one that is too long', 'x'.repeat(11)],
  ])('is refused with %s', (_, text) => {
    const { syntax } = words();
    expect(() => syntax.pattern(text, 10)).toThrow(
      expect.objectContaining({ code: 'topic/invalid-pattern' }),
    );
  });

  test('needs a syntax with a plain name', () => {
    const parts = {
      subjectOf: (text: string) => ({ text }),
      compile: () => ({ beginning: '', matches: () => true }),
    };
    expect(() => createPatternSyntax({ ...parts, name: 'A)' })).toThrow(
      expect.objectContaining({ code: 'hub/invalid-option' }),
    );
  });
});
