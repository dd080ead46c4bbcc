import {
  type Check,
  type Checks,
  aBoolean,
  aNumber,
  anObjectWith,
  aString,
  assertOptions,
  either,
  invalidOption,
  listOf,
  options,
} from '../protocol/options.ts';
import { type Matcher, PRESENCE_PREFIX } from '../protocol/matcher.ts';
import { createMatcherSet, type MatcherSet } from '../protocol/matcher-set.ts';
import { literalPrefix } from '../protocol/pattern.ts';
import { RETENTION, type Retention } from './retention.ts';

/** How a log treats the topics that `match`. The first rule that matches an event's canonical topic holds. */
export interface TopicRule {
  readonly match: Matcher;
  /** Bounds for each of these topics by itself, besides the log's own. */
  readonly retention?: Retention;
  /**
   * The topic is a state: of its events with a `key`, only the newest of each key is kept, for as long as the log
   * lives. A subscriber without a cursor gets the newest of every key first. A `tombstone` deletes the key.
   */
  readonly state?: boolean;
  /**
   * For `state`: milliseconds in which at most one event of a key is appended. What is published in between
   * collapses to the newest, for all readers together. Default 0: nothing waits.
   */
  readonly interval?: number;
}

export interface TopicRules {
  /** The rule for an event whose canonical topic this is. */
  of(topic: string): TopicRule | undefined;
  /** Whether what `wanted` asks for can include a topic that is a state. */
  canBeState(wanted: MatcherSet): boolean;
}

const TOPIC_RULE: Checks<TopicRule> = {
  match: either(aString, anObjectWith('an object with `pattern`', 'pattern')),
  retention: options(RETENTION),
  state: aBoolean,
  interval: aNumber({ min: 0, finite: true }),
};
/** Checks a log's option `topics`. */
export const TOPIC_RULES: Check = listOf(TOPIC_RULE);

const CACHED_TOPICS = 10_000;
/** Presence is a state on any log. */
const PRESENCE_RULE: TopicRule = { match: { pattern: `${PRESENCE_PREFIX}*` }, state: true };

/** @throws {TidingsError} `topic/*`, `hub/invalid-option`. */
export function createTopicRules(rules: readonly TopicRule[]): TopicRules {
  assertRules(rules);
  const all = [PRESENCE_RULE, ...rules];
  const compiled = all.map((rule) => ({ rule, matchers: createMatcherSet([rule.match]) }));
  const statePrefixes = all.filter(({ state }) => state === true).map(({ match }) => prefixOf(match));
  const cache = new Map<string, TopicRule | undefined>();

  function of(topic: string): TopicRule | undefined {
    if (cache.has(topic)) return cache.get(topic);
    const rule = compiled.find(({ matchers }) => matchers.matchesTopic(topic))?.rule;
    if (cache.size >= CACHED_TOPICS) cache.clear();
    cache.set(topic, rule);
    return rule;
  }

  return {
    of,
    canBeState: ({ topics, patterns }) =>
      [...topics].some((topic) => of(topic)?.state === true) ||
      patterns.some(({ pattern }) => statePrefixes.some((prefix) => canMeet(prefix, literalPrefix(pattern)))),
  };
}

function assertRules(rules: readonly TopicRule[]): void {
  assertOptions({ topics: rules }, { topics: TOPIC_RULES });
  for (const [i, { match, interval = 0, state = false }] of rules.entries()) {
    if (match === undefined)
      throw invalidOption(`topics[${i}].match`, 'A topic rule needs `match`: a topic, or `{ pattern }`.');
    if (interval > 0 && !state)
      throw invalidOption(`topics[${i}].interval`, 'A topic rule with `interval` needs `state: true`.');
  }
}

/** The beginning of every topic that is matched. */
function prefixOf(match: Matcher): string {
  return typeof match === 'string' ? match : literalPrefix(match.pattern);
}

function canMeet(a: string, b: string): boolean {
  return a.startsWith(b) || b.startsWith(a);
}

/** Whether an event is the value of a key, on a topic that keeps just the newest. */
export function isState(
  rules: TopicRules,
  event: { topics: readonly [string, ...string[]]; key: string | undefined },
): boolean {
  return event.key !== undefined && rules.of(event.topics[0])?.state === true;
}
