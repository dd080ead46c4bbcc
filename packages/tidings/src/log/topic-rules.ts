import { createError } from '../protocol/errors.ts';
import { type Matcher, PRESENCE_PREFIX } from '../protocol/matcher.ts';
import { createMatcherSet, type MatcherSet } from '../protocol/matcher-set.ts';
import { type Retention, assertRetention } from './retention.ts';

/** How a log treats the topics that `match`. The first rule that matches an event's canonical topic holds. */
export interface TopicRule {
  readonly match: Matcher;
  /** Bounds for each of these topics by itself, besides the log's own. */
  readonly retention?: Retention;
  /**
   * The topic is a state: of its events with a `key`, only the newest of each key is kept, for as long as the log
   * lives. Who connects without a cursor gets the newest of every key first. A `tombstone` deletes the key.
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
/** Who is present is a state on any log. */
const PRESENCE_RULE: TopicRule = { match: { pattern: `${PRESENCE_PREFIX}*` }, latest: true };

/** @throws {TidingsError} `topic/*`, `hub/invalid-option`. */
export function createTopicRules(rules: readonly TopicRule[]): TopicRules {
  const all = [PRESENCE_RULE, ...rules];
  const compiled = all.map((rule) => ({ rule, matchers: createMatcherSet([rule.match]) }));
  const statePrefixes = all.filter(({ latest }) => latest === true).map(({ match }) => literalPrefix(match));
  for (const { interval = 0, latest = false, retention = {} } of rules) {
    assertRetention(retention);
    if (!(interval >= 0 && interval < Infinity)) {
      throw createError('hub/invalid-option', 'The `interval` of a topic rule is a number of milliseconds.', {
        details: { option: 'topics', interval },
      });
    }
    if (interval > 0 && !latest) {
      throw createError('hub/invalid-option', 'A topic rule with `interval` needs `latest: true`.', {
        details: { option: 'topics', interval },
      });
    }
  }
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
    canBeLatest: ({ topics, patterns }) =>
      [...topics].some((topic) => of(topic)?.latest === true) ||
      patterns.some((pattern) => statePrefixes.some((prefix) => canMeet(prefix, literalPrefix(pattern)))),
  };
}

/** What every topic that is matched begins with. */
function literalPrefix(match: Matcher): string {
  return typeof match === 'string' ? match : (/^[^*:\\]*/.exec(match.pattern)?.[0] ?? '');
}

function canMeet(a: string, b: string): boolean {
  return a.startsWith(b) || b.startsWith(a);
}

/** Whether an event is the value of a key, on a topic that keeps just the newest. */
export function isState(
  rules: TopicRules,
  event: { topics: readonly [string, ...string[]]; key: string | undefined },
): boolean {
  return event.key !== undefined && rules.of(event.topics[0])?.latest === true;
}
