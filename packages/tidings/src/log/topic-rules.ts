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
import {
  HIDDEN_PREFIX,
  type Matcher,
  PRESENCE_PREFIX,
  RUNS_PREFIX,
  matcherKey,
} from '../protocol/matcher.ts';
import { beginningOf, createMatcherSet, type MatcherSet } from '../protocol/matcher-set.ts';
import { literalPrefix } from '../protocol/pattern.ts';
import { type LogEntry, canonicalOf } from './entry.ts';
import { RETENTION, type Retention } from './retention.ts';

/** How a log treats the topics that `match`. The first rule that matches an event's canonical topic applies. */
export interface TopicRule {
  readonly match: Matcher;
  /** Bounds for each of these topics by itself, in addition to the log's own. */
  readonly retention?: Retention;
  /**
   * The topic is a state: of its events with a `key`, only the newest of each key is kept, for as long as the log
   * lives. A subscriber without a cursor gets the newest of every key first. A `tombstone` deletes the key.
   */
  readonly state?: boolean;
  /**
   * For `state`: milliseconds in which at most one event of a key is appended. Events published in between collapse
   * to the newest, for all readers together. Default 0: every event is appended at once.
   */
  readonly interval?: number;
  /** For `state`: how many keys one of these topics may have. The key changed longest ago is lost. Default 100,000. */
  readonly keys?: number;
}

export interface TopicRules {
  /** The rule for an event whose canonical topic this is. */
  of(topic: string): TopicRule | undefined;
  /** Whether `wanted` can match a state topic. */
  canBeState(wanted: MatcherSet): boolean;
  /**
   * Takes other rules while the log is open. They count for events from now on: those that are there keep what they had,
   * except that `events` and `bytes` count all events since a topic has had bounds.
   *
   * @throws {TidingsError} `hub/invalid-option`, with everything as before, if topics would become states or cease to be, or
   * if other processes use the log with the former rules; `topic/*`.
   */
  change(rules: readonly TopicRule[]): void;
}

export const TOPIC_RULE: Checks<TopicRule> = {
  match: either(aString, anObjectWith('an object with `pattern`', 'pattern')),
  retention: options(RETENTION),
  state: aBoolean,
  interval: aNumber({ min: 0, finite: true }),
  keys: aNumber({ min: 1 }),
};
/** Checks a log's option `topics`. */
export const TOPIC_RULES: Check = listOf(TOPIC_RULE);

const CACHED_TOPICS = 10_000;
/** In the cache, to find out in one look that a topic is known. */
const NO_RULE = null;
/** Presence and runs are states on any log. */
const OWN_RULES: readonly TopicRule[] = [PRESENCE_PREFIX, RUNS_PREFIX].map((prefix) => ({
  match: { pattern: `${prefix}*` },
  state: true,
}));

/** The hubs' words to each other are states, too. They bound them by themselves. */
const HIDDEN_RULE: TopicRule = { match: { pattern: '*' }, state: true, keys: Number.MAX_SAFE_INTEGER };

const DEFAULT_KEYS = 100_000;
/** No topic has a control character. */
const HUBS_GROUP = '\u0000hub';
/** The bounds of the hub's own events, without the values that count. */
const HUBS_RETENTION: Retention = { events: 10_000, bytes: 16_777_216 };

interface CompiledRule {
  readonly rule: TopicRule;
  readonly matchers: MatcherSet;
}

/**
 * @param shared whether other processes have the log open: all of them need the same rules, so they can't change.
 * @throws {TidingsError} `topic/*`, `hub/invalid-option`.
 */
export function createTopicRules(rules: readonly TopicRule[], shared = false): TopicRules {
  let given = rules;
  let compiled = compile(given);
  const statePrefixes = [...OWN_RULES, ...rules]
    .filter(({ state }) => state === true)
    .map(({ match }) => prefixOf(match));
  const cache = new Map<string, TopicRule | typeof NO_RULE>();

  function of(topic: string): TopicRule | undefined {
    const known = cache.get(topic);
    if (known !== undefined) return known === NO_RULE ? undefined : known;
    if (topic.startsWith(HIDDEN_PREFIX)) return HIDDEN_RULE;
    const rule = compiled.find(({ matchers }) => matchers.matchesTopic(topic))?.rule;
    if (cache.size >= CACHED_TOPICS) cache.clear();
    cache.set(topic, rule ?? NO_RULE);
    return rule;
  }

  return {
    of,
    canBeState: ({ topics, patterns }) =>
      [...topics].some((topic) => of(topic)?.state === true) ||
      patterns.some((pattern) => statePrefixes.some((prefix) => canMeet(prefix, beginningOf(pattern)))),
    change(next) {
      const fresh = compile(next);
      if (shared)
        throw invalidOption(
          'topics',
          'Other processes share the log, and need the same `topics`: open it anew everywhere.',
        );
      assertSameStates(given, next);
      given = next;
      compiled = fresh;
      cache.clear();
    },
  };
}

function compile(rules: readonly TopicRule[]): readonly CompiledRule[] {
  assertRules(rules);
  return [...OWN_RULES, ...rules].map((rule) => ({ rule, matchers: createMatcherSet([rule.match]) }));
}

/**
 * An event is a state, or isn't, from when it is appended to when it is gone. So the rules that decide it stay, in their order;
 * those behind the last state decide nothing about it.
 */
function assertSameStates(before: readonly TopicRule[], after: readonly TopicRule[]): void {
  const [old, now] = [before, after].map((rules) =>
    rules
      .slice(0, rules.findLastIndex(({ state }) => state === true) + 1)
      .map(({ match, state = false }) => `${state} ${matcherKey(match)}`),
  ) as [string[], string[]];
  const index = now.findIndex((rule, i) => rule !== old[i]);
  if (index === -1 && now.length === old.length) return;
  const which = index === -1 ? now.length : index;
  throw invalidOption(
    `topics[${which}].state`,
    'Which topics are states can’t change while the log is open: rules up to the last `state: true` keep their `match` and `state`.',
  );
}

function assertRules(rules: readonly TopicRule[]): void {
  assertOptions({ topics: rules }, { topics: TOPIC_RULES });
  for (const [i, { match, interval = 0, state = false, keys }] of rules.entries()) {
    if (match === undefined)
      throw invalidOption(`topics[${i}].match`, 'A topic rule needs `match`: a topic, or `{ pattern }`.');
    if (interval > 0 && !state)
      throw invalidOption(`topics[${i}].interval`, 'A topic rule with `interval` needs `state: true`.');
    if (keys !== undefined && !state)
      throw invalidOption(`topics[${i}].keys`, 'A topic rule with `keys` needs `state: true`.');
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
export function isState(rules: TopicRules, event: Pick<LogEntry, 'canonical' | 'topics' | 'key'>): boolean {
  if (event.key === undefined || rules.of(canonicalOf(event))?.state !== true) return false;
  // If a newer value of the key has taken the first topic, the remaining ones decide.
  return event.canonical === undefined || event.topics.some((topic) => rules.of(topic)?.state === true);
}

/** How many values a topic may have. */
export function keysOf(rules: TopicRules, topic: string): number {
  return rules.of(topic)?.keys ?? DEFAULT_KEYS;
}

/**
 * Whether an event counts against the log's own bounds. Values don't, as they outlive retention. The events of presence
 * and of runs don't either: visitors who come and go, and answers, must not evict publishers' events.
 */
export function isCounted(rules: TopicRules, event: LogEntry): boolean {
  return !isHubs(event) && (event.tombstone || !isState(rules, event));
}

/** Whether an event counts against a tail's bounds: as against the log's, but the hub's own tombstones do, too. */
export function isCountedInTail(rules: TopicRules, event: LogEntry): boolean {
  return isCounted(rules, event) || (event.tombstone && isHubs(event));
}

/** Events that are bounded together, by a retention of their own. */
export interface Bounds {
  readonly group: string;
  readonly retention: Retention;
}

/** The bounds of the hub's own tombstones, whatever their topics. */
export const HUBS_BOUNDS: Bounds = { group: HUBS_GROUP, retention: HUBS_RETENTION };

/** An event's bounds in addition to the log's own; undefined if it has none. Values have those of `keysOf`. */
export function boundsOf(rules: TopicRules, event: LogEntry): Bounds | undefined {
  if (isState(rules, event) && !event.tombstone) return undefined;
  if (isHubs(event)) return HUBS_BOUNDS;
  // Values that a state has dropped, and tombstones, have the log's bounds.
  if (event.canonical !== undefined || event.tombstone) return undefined;
  const retention = rules.of(event.topics[0])?.retention;
  return retention === undefined ? undefined : { group: event.topics[0], retention };
}

/** Whether it is an event of presence or of a run. */
export function isHubs(event: LogEntry): boolean {
  return isHubsTopic(canonicalOf(event));
}

export function isHubsTopic(topic: string): boolean {
  return (
    topic.startsWith(PRESENCE_PREFIX) || topic.startsWith(HIDDEN_PREFIX) || topic.startsWith(RUNS_PREFIX)
  );
}
