import { type CompiledPattern, type MatcherSet, beginningOf } from '../../protocol/matcher-set.ts';
import type { PatternIndex } from '../../protocol/pattern-syntax.ts';
import { isTag } from '../../protocol/tags.ts';
import { PatternCache } from './pattern-cache.ts';

interface Indexed {
  readonly wanted: MatcherSet;
}

/** Mostly there is one, and a set of one takes six times its memory. */
type OneOrMore<T> = T | Set<T>;

/** A pattern and the subscriptions that have it. */
interface PatternGroup<Subscription> {
  /** Undefined once no subscription has it: a cache that remembers the group must not keep the pattern's text. */
  pattern: CompiledPattern | undefined;
  subscriptions: OneOrMore<Subscription> | undefined;
}

/** By the length of their literal beginning, then by the beginning itself. */
type ByBeginning<Group> = Map<number, Map<string, OneOrMore<Group>>>;

/** The most characters of a pattern's beginning to look up: a topic must not need a thousand lookups. */
const MAX_PREFIX = 64;

/**
 * Finds the subscriptions an event goes to. The cost doesn't grow with topics, and with patterns only for those that
 * begin like the topic up to their first `:` or `*`. Adding or removing a subscription costs a few steps for each of
 * its matchers, and keeps cached results of other patterns.
 */
export class TopicIndex<Subscription extends Indexed> {
  readonly #exact = new Map<string, OneOrMore<Subscription>>();
  readonly #patterns = new Map<string, PatternGroup<Subscription>>();
  readonly #own: ByBeginning<PatternGroup<Subscription>> = new Map();
  /** Those of other syntaxes than the hub's. */
  readonly #foreign = new Map<PatternIndex, ByBeginning<PatternGroup<Subscription>>>();
  readonly #cache: PatternCache<PatternGroup<Subscription>> = new PatternCache({
    candidates: (topic) => this.#beginningLike(topic),
    matches: ({ pattern }, topic) => pattern?.matches(topic) === true,
    isGone: ({ pattern }) => pattern === undefined,
  });

  /** Distinct topics and patterns that somebody asked for. */
  get size(): number {
    return this.#exact.size + this.#patterns.size;
  }

  /** Distinct patterns that somebody asked for. */
  get patterns(): number {
    return this.#patterns.size;
  }

  add(subscription: Subscription): void {
    for (const topic of subscription.wanted.topics) addTo(this.#exact, topic, subscription);
    for (const pattern of subscription.wanted.patterns) {
      const group = this.#patterns.get(pattern.pattern);
      if (group === undefined) this.#addGroup(pattern, subscription);
      else group.subscriptions = withOne(group.subscriptions, subscription);
    }
  }

  remove(subscription: Subscription): void {
    for (const topic of subscription.wanted.topics) removeFrom(this.#exact, topic, subscription);
    for (const pattern of subscription.wanted.patterns) {
      const group = this.#patterns.get(pattern.pattern);
      if (group === undefined) continue;
      group.subscriptions = without(group.subscriptions, subscription);
      if (group.subscriptions === undefined) this.#removeGroup(pattern, group);
    }
  }

  /** The subscriptions that match one of the topics, each once. */
  match(topics: readonly [string, ...string[]]): Iterable<Subscription> {
    const [only] = topics;
    if (topics.length === 1 && this.#groups(only).length === 0) return each(this.#exact.get(only));
    const found = new Set<Subscription>();
    for (const topic of topics) {
      for (const subscription of each(this.#exact.get(topic))) found.add(subscription);
      collect(this.#groups(topic), found);
    }
    return found;
  }

  #groups(topic: string): readonly PatternGroup<Subscription>[] {
    return this.#patterns.size === 0 || isTag(topic)
      ? NONE
      : this.#cache.matching(topic, this.#patterns.size);
  }

  *#beginningLike(topic: string): Generator<PatternGroup<Subscription>> {
    yield* beginningLike(this.#own, topic);
    for (const [index, groups] of this.#foreign) {
      const text = index.textOf(topic);
      if (text !== undefined) yield* beginningLike(groups, text);
    }
  }

  /** All patterns that are indexed by the same text. */
  #indexOf({ index }: CompiledPattern): ByBeginning<PatternGroup<Subscription>> {
    if (index === undefined) return this.#own;
    let groups = this.#foreign.get(index);
    if (groups === undefined) this.#foreign.set(index, (groups = new Map()));
    return groups;
  }

  #addGroup(pattern: CompiledPattern, subscription: Subscription): void {
    const group = { pattern, subscriptions: subscription };
    const prefix = prefixOf(pattern);
    const index = this.#indexOf(pattern);
    const groupsOf = index.get(prefix.length) ?? new Map<string, OneOrMore<PatternGroup<Subscription>>>();
    addTo(groupsOf, prefix, group);
    index.set(prefix.length, groupsOf);
    this.#patterns.set(pattern.pattern, group);
    this.#cache.add(group, this.#patterns.size);
  }

  #removeGroup(pattern: CompiledPattern, group: PatternGroup<Subscription>): void {
    const prefix = prefixOf(pattern);
    const index = this.#indexOf(pattern);
    const groupsOf = index.get(prefix.length);
    if (groupsOf !== undefined) removeFrom(groupsOf, prefix, group);
    if (groupsOf?.size === 0) index.delete(prefix.length);
    if (index.size === 0 && pattern.index !== undefined) this.#foreign.delete(pattern.index);
    this.#patterns.delete(pattern.pattern);
    group.pattern = undefined;
    this.#cache.remove();
  }
}

function prefixOf(pattern: CompiledPattern): string {
  return (pattern.beginning ?? beginningOf(pattern)).slice(0, MAX_PREFIX);
}

function* beginningLike<Group>(groups: ByBeginning<Group>, text: string): Generator<Group> {
  for (const [length, groupsOf] of groups) {
    if (length <= text.length) yield* each(groupsOf.get(text.slice(0, length)));
  }
}

function collect<T>(groups: readonly PatternGroup<T>[], found: Set<T>): void {
  for (const { subscriptions } of groups) for (const one of each(subscriptions)) found.add(one);
}

const NONE: readonly never[] = [];

function each<T>(all: OneOrMore<T> | undefined): Iterable<T> {
  if (all instanceof Set) return all;
  return all === undefined ? NONE : [all];
}

function withOne<T>(all: OneOrMore<T> | undefined, one: T): OneOrMore<T> {
  if (all instanceof Set) return all.add(one);
  return all === undefined || all === one ? one : new Set([all, one]);
}

function without<T>(all: OneOrMore<T> | undefined, one: T): OneOrMore<T> | undefined {
  if (!(all instanceof Set)) return all === one ? undefined : all;
  all.delete(one);
  return all.size === 0 ? undefined : all;
}

function addTo<T>(map: Map<string, OneOrMore<T>>, key: string, one: T): void {
  map.set(key, withOne(map.get(key), one));
}

function removeFrom<T>(map: Map<string, OneOrMore<T>>, key: string, one: T): void {
  const before = map.get(key);
  const left = without(before, one);
  if (left === undefined) map.delete(key);
}
