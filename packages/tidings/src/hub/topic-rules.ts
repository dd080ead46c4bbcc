import { TidingsError } from '../protocol/errors.ts';
import type { Matcher } from '../protocol/matcher.ts';
import { createMatcherSet, type MatcherSet } from './matcher-set.ts';
import type { Retention } from './tail.ts';

/** How a log treats the topics that `match`. The first rule that matches an event's canonical topic holds. */
export interface TopicRule {
  readonly match: Matcher;
  /** Bounds for each of these topics by itself, besides the log's own. */
  readonly retention?: Retention;
  /**
   * The topic is a state: of its events with a `key`, only the newest of each key is kept, for as long as the log
   * lives. Who connects without a cursor gets the newest of every key first. Data `null` deletes the key.
   */
  readonly latest?: boolean;
  /**
   * For `latest`: milliseconds in which at most one event of a key is appended. What is published in between
   * collapses to the newest, for all readers together. Default 0: nothing waits.
   */
  readonly interval?: number;
}

export interface TopicRules {
  /** The rule for an event whose canonical topic this is. */
  of(topic: string): TopicRule | undefined;
  /** Whether what `wanted` asks for can include a topic that is a state. */
  canBeLatest(wanted: MatcherSet): boolean;
}

const CACHED_TOPICS = 10_000;

/** @throws {TidingsError} `topic/*`, `hub/invalid-option`. */
export function createTopicRules(rules: readonly TopicRule[]): TopicRules {
  const compiled = rules.map((rule) => ({ rule, matchers: createMatcherSet([rule.match]) }));
  for (const { interval = 0, latest = false } of rules) {
    if (interval > 0 && !latest) {
      throw new TidingsError('hub/invalid-option', 'A topic rule with `interval` needs `latest: true`.', {
        details: { option: 'topics', interval },
      });
    }
  }
  const cache = new Map<string, TopicRule | undefined>();
  const anyLatest = rules.some(({ latest }) => latest === true);

  function of(topic: string): TopicRule | undefined {
    if (compiled.length === 0) return undefined;
    if (cache.has(topic)) return cache.get(topic);
    const rule = compiled.find(({ matchers }) => matchers.matchesTopic(topic))?.rule;
    if (cache.size >= CACHED_TOPICS) cache.clear();
    cache.set(topic, rule);
    return rule;
  }

  return {
    of,
    canBeLatest: ({ topics, patterns }) =>
      anyLatest && (patterns.length > 0 || [...topics].some((topic) => of(topic)?.latest === true)),
  };
}

/** Whether an event is the value of a key, on a topic that keeps just the newest. */
export function isState(rules: TopicRules, event: { topics: readonly [string, ...string[]]; key: string | undefined }): boolean {
  return event.key !== undefined && rules.of(event.topics[0])?.latest === true;
}

/** The event that deletes a key: its data is JSON's null. */
export function isTombstone(event: { readonly data: string }): boolean {
  return event.data === 'null';
}
