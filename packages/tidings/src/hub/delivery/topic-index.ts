import { literalPrefix } from '../../protocol/pattern.ts';
import type { CompiledPattern, MatcherSet } from '../../protocol/matcher-set.ts';

/** How many topics' matching patterns are remembered. */
const CACHED_TOPICS = 10_000;

interface Indexed {
  readonly wanted: MatcherSet;
}

interface PatternGroup<Subscription> {
  readonly pattern: CompiledPattern;
  readonly subscriptions: Set<Subscription>;
}

/**
 * Finds the subscriptions an event goes to. The cost doesn't grow with topics, and with patterns only for those that
 * begin like the topic up to their first `:` or `*`.
 */
export class TopicIndex<Subscription extends Indexed> {
  readonly #exact = new Map<string, Set<Subscription>>();
  readonly #patterns = new Map<string, PatternGroup<Subscription>>();
  /** By how long what they begin with is, and what it is. */
  readonly #byPrefix = new Map<number, Map<string, Set<PatternGroup<Subscription>>>>();
  readonly #groupsOfTopic = new Map<string, readonly PatternGroup<Subscription>[]>();

  /** Distinct topics and patterns that somebody asked for. */
  get size(): number {
    return this.#exact.size + this.#patterns.size;
  }

  add(subscription: Subscription): void {
    for (const topic of subscription.wanted.topics) {
      const subscriptions = this.#exact.get(topic);
      if (subscriptions === undefined) this.#exact.set(topic, new Set([subscription]));
      else subscriptions.add(subscription);
    }
    for (const pattern of subscription.wanted.patterns) {
      const group = this.#patterns.get(pattern.pattern);
      if (group !== undefined) {
        group.subscriptions.add(subscription);
        continue;
      }
      this.#addGroup({ pattern, subscriptions: new Set([subscription]) });
    }
  }

  remove(subscription: Subscription): void {
    for (const topic of subscription.wanted.topics) {
      const subscriptions = this.#exact.get(topic);
      subscriptions?.delete(subscription);
      if (subscriptions?.size === 0) this.#exact.delete(topic);
    }
    for (const { pattern } of subscription.wanted.patterns) {
      const group = this.#patterns.get(pattern);
      group?.subscriptions.delete(subscription);
      if (group?.subscriptions.size === 0) this.#removeGroup(group);
    }
  }

  /** The subscriptions that match one of the topics, each once. */
  match(topics: readonly [string, ...string[]]): Iterable<Subscription> {
    const [topic, ...others] = topics;
    const exact = this.#exact.get(topic) ?? [];
    if (others.length === 0 && this.#patterns.size === 0) return exact;
    const found = new Set(exact);
    for (const each of topics) {
      if (each !== topic) for (const subscription of this.#exact.get(each) ?? []) found.add(subscription);
      for (const group of this.#groups(each)) {
        for (const subscription of group.subscriptions) found.add(subscription);
      }
    }
    return found;
  }

  #groups(topic: string): readonly PatternGroup<Subscription>[] {
    if (this.#patterns.size === 0) return [];
    let groups = this.#groupsOfTopic.get(topic);
    if (groups === undefined) {
      groups = [...this.#beginningLike(topic)].filter(({ pattern }) => pattern.matches(topic));
      if (this.#groupsOfTopic.size >= CACHED_TOPICS) this.#groupsOfTopic.clear();
      this.#groupsOfTopic.set(topic, groups);
    }
    return groups;
  }

  *#beginningLike(topic: string): Generator<PatternGroup<Subscription>> {
    for (const [length, groupsOf] of this.#byPrefix) {
      if (length <= topic.length) yield* groupsOf.get(topic.slice(0, length)) ?? [];
    }
  }

  #addGroup(group: PatternGroup<Subscription>): void {
    const { pattern } = group.pattern;
    const prefix = literalPrefix(pattern);
    const groupsOf = this.#byPrefix.get(prefix.length) ?? new Map<string, Set<PatternGroup<Subscription>>>();
    this.#byPrefix.set(prefix.length, groupsOf.set(prefix, (groupsOf.get(prefix) ?? new Set()).add(group)));
    this.#patterns.set(pattern, group);
    this.#groupsOfTopic.clear();
  }

  #removeGroup(group: PatternGroup<Subscription>): void {
    const { pattern } = group.pattern;
    const prefix = literalPrefix(pattern);
    const groupsOf = this.#byPrefix.get(prefix.length);
    const groups = groupsOf?.get(prefix);
    groups?.delete(group);
    if (groups?.size === 0) groupsOf?.delete(prefix);
    if (groupsOf?.size === 0) this.#byPrefix.delete(prefix.length);
    this.#patterns.delete(pattern);
    this.#groupsOfTopic.clear();
  }
}
