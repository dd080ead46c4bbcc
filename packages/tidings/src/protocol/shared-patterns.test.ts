import { describe, expect, test, vi } from 'vitest';
import { collectGarbage } from '../../test/collect-garbage.ts';
import { createMatcherSet } from './matcher-set.ts';
import { countSharedPatterns } from './shared-patterns.ts';

describe('equal patterns', () => {
  test('are one object for everyone that asks for them', () => {
    const [one, two] = ['user/:id', ['user', ':id'].join('/')].map((pattern) =>
      createMatcherSet(['a', { pattern }, { pattern }]),
    );
    expect(one?.patterns).toHaveLength(1);
    expect(one?.patterns[0]).toBe(two?.patterns[0]);
  });

  test('are checked against the length that each caller allows', () => {
    const pattern = `${'x'.repeat(20)}*`;
    const set = createMatcherSet([{ pattern }]);
    expect(() => createMatcherSet([{ pattern }], 20)).toThrow(
      expect.objectContaining({ code: 'topic/invalid-pattern' }),
    );
    expect(set.matchesTopic('x'.repeat(20))).toBe(true);
  });

  test('are not kept if the set was refused', () => {
    const before = countSharedPatterns();
    expect(() => createMatcherSet([{ pattern: 'only/here/*' }, { pattern: '(' }])).toThrow();
    expect(countSharedPatterns()).toBe(before);
  });

  test('are kept while something refers to them, and freed afterwards', { timeout: 60_000 }, async () => {
    const many = (): Promise<void> => {
      for (let i = 0; i < 1000; i += 1)
        createMatcherSet([{ pattern: `freed/${i}/*` }, { pattern: 'kept/*' }]);
      return Promise.resolve();
    };
    const keeps = createMatcherSet([{ pattern: 'kept/*' }]);
    const before = countSharedPatterns();
    await many();
    expect(countSharedPatterns()).toBe(before + 1000);
    await vi.waitFor(
      () => {
        collectGarbage();
        expect(countSharedPatterns()).toBeLessThanOrEqual(before);
      },
      { timeout: 50_000 },
    );
    expect(createMatcherSet([{ pattern: 'kept/*' }]).patterns[0]).toBe(keeps.patterns[0]);
  });
});
