import type { CompiledPattern, MatcherSet } from './matcher-set.ts';

/** How many topics' matching patterns are remembered. */
const CACHED_TOPICS = 10_000;

interface Indexed {
  readonly wanted: MatcherSet;
}

interface PatternGroup<Subscription> {
  readonly pattern: CompiledPattern;
  readonly subscriptions: Set<Subscription>;
}

/** Finds the subscriptions an event goes to. The cost grows with the distinct patterns, not with topics. */
export class TopicIndex<Subscription extends Indexed> {
  readonly #exact = new Map<string, Set<Subscription>>();
  readonly #patterns = new Map<string, PatternGroup<Subscription>>();
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
      this.#patterns.set(pattern.pattern, { pattern, subscriptions: new Set([subscription]) });
      this.#groupsOfTopic.clear();
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
      if (group?.subscriptions.size !== 0) continue;
      this.#patterns.delete(pattern);
      this.#groupsOfTopic.clear();
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
      groups = [...this.#patterns.values()].filter(({ pattern }) => pattern.matches(topic));
      if (this.#groupsOfTopic.size >= CACHED_TOPICS) this.#groupsOfTopic.clear();
      this.#groupsOfTopic.set(topic, groups);
    }
    return groups;
  }
}
