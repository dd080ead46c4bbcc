import { describe, expect, test } from 'vitest';
import { createMatcherSet } from '../protocol/matcher-set.ts';
import { type TopicRule, createTopicRules } from './topic-rules.ts';

const STATE: TopicRule = { match: { pattern: 'price/*' }, state: true };

describe('rules for topics', () => {
  test('can change while a log is open, and the new ones count at once', () => {
    const rules = createTopicRules([STATE, { match: 'a', retention: { events: 1 } }]);
    expect(rules.of('a')?.retention).toEqual({ events: 1 });
    expect(rules.of('price/milk')?.keys).toBeUndefined();
    rules.change([
      { ...STATE, interval: 10, keys: 5 },
      { match: { pattern: 'b/*' }, retention: { age: 1 } },
    ]);
    expect(rules.of('a')).toBeUndefined();
    expect(rules.of('b/1')?.retention).toEqual({ age: 1 });
    expect(rules.of('price/milk')).toMatchObject({ interval: 10, keys: 5 });
    expect(rules.canBeState(createMatcherSet(['price/milk']))).toBe(true);
  });

  test.each<[string, readonly TopicRule[], string]>([
    ['a new state', [STATE, { match: 'b', state: true }], 'topics[1].state'],
    ['a state less', [], 'topics[0].state'],
    ['a state of other topics', [{ ...STATE, match: 'price/milk' }], 'topics[0].state'],
    ['a rule in front of a state, which may hide it', [{ match: 'price/milk' }, STATE], 'topics[0].state'],
    ['a misspelt rule', [{ ...STATE, key: 1 } as TopicRule], 'topics[0].key'],
    ['an interval without a state', [STATE, { match: 'a', interval: 1 }], 'topics[1].interval'],
  ])('stay as they are if the new ones have %s', (_, next, option) => {
    const rules = createTopicRules([STATE]);
    expect(() => rules.change(next)).toThrow(
      expect.objectContaining({ code: 'hub/invalid-option', details: expect.objectContaining({ option }) }),
    );
    expect(rules.of('price/milk')).toEqual(STATE);
    expect(rules.of('b')).toBeUndefined();
  });

  test('can’t change where other processes have the log open with the same ones', () => {
    expect(() => createTopicRules([], true).change([])).toThrow('Other processes share the log');
  });
});
