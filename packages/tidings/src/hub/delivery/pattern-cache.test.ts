import { describe, expect, test } from 'vitest';
import { PatternCache } from './pattern-cache.ts';

/** Patterns are prefixes here. Counts how often one is compared with a topic. */
function setUp() {
  const looks = { count: 0 };
  const cache = new PatternCache<{ readonly prefix: string }>({
    candidates: () => all.values(),
    matches({ prefix }, topic) {
      looks.count += 1;
      return topic.startsWith(prefix);
    },
    isGone: (pattern) => all.get(pattern.prefix) !== pattern,
  });
  const all = new Map<string, { readonly prefix: string }>();
  return {
    looks,
    add(prefix: string): void {
      const pattern = { prefix };
      all.set(prefix, pattern);
      cache.add(pattern, all.size);
    },
    remove(prefix: string): void {
      all.delete(prefix);
      cache.remove();
    },
    find: (topic: string): string[] => cache.matching(topic, all.size).map(({ prefix }) => prefix),
  };
}

describe('the cache of patterns', () => {
  test('compares nothing if nothing changed', () => {
    const { add, find, looks } = setUp();
    add('a');
    add('b');
    expect(find('ab')).toEqual(['a']);
    looks.count = 0;
    expect(find('ab')).toEqual(['a']);
    expect(looks.count).toBe(0);
  });

  test('compares only added patterns', () => {
    const { add, remove, find, looks } = setUp();
    for (let i = 0; i < 1000; i += 1) add(`x${i}`);
    expect(find('abc')).toEqual([]);
    looks.count = 0;
    add('ab');
    expect(find('abc')).toEqual(['ab']);
    add('z');
    remove('ab');
    expect(find('abc')).toEqual([]);
    expect(looks.count).toBe(2);
  });

  test('does one comparison per topic when a stranger toggles a pattern, however many there are', () => {
    const { add, remove, find, looks } = setUp();
    for (let i = 0; i < 1000; i += 1) add(`x${i}`);
    for (let i = 0; i < 100; i += 1) find(`topic/${i}`);
    looks.count = 0;
    for (let toggle = 0; toggle < 50; toggle += 1) {
      add('t');
      for (let i = 0; i < 100; i += 1) expect(find(`topic/${i}`)).toEqual(['t']);
      remove('t');
    }
    expect(looks.count).toBeLessThanOrEqual(50 * 100);
  });

  test('finds the same after more changes than it remembers', () => {
    const { add, remove, find } = setUp();
    add('a');
    expect(find('abc')).toEqual(['a']);
    for (let i = 0; i < 1000; i += 1) {
      add(`ab${i}`);
      remove(`ab${i}`);
    }
    add('abc');
    expect(find('abc')).toEqual(['a', 'abc']);
  });

  test('finds the same after more topics than it remembers', () => {
    const { add, find } = setUp();
    for (const prefix of ['', 't', 'topic/1']) add(prefix);
    for (let i = 0; i < 120_000; i += 1) find(`topic/${i}`);
    expect(find('topic/0')).toEqual(['', 't']);
    expect(find('topic/119999')).toEqual(['', 't', 'topic/1']);
  });
});
