import type { Loss } from '../hub/log.ts';
import type { MatcherSet } from '../hub/matcher-set.ts';

/** Topics remembered by name; beyond, those trimmed longest ago are only known together. */
const MAX_TOPICS = 100_000;
/** Topics that are held against a pattern; beyond, the answer is "may have lost something". */
const MAX_SCANNED = 1000;

/**
 * Remembers up to where each topic's events were trimmed, so that a reader can be told which of its topics lost
 * some. In bounded memory: where it no longer knows, it says that something was lost.
 */
export class TrimmedTopics {
  /** Topic → the newest trimmed seq, in the order in which they were trimmed. */
  readonly #trimmed = new Map<string, number>();
  /** The newest trimmed seq of the topics no longer in the map. */
  #forgotten = 0;
  #newest = 0;
  readonly #maxTopics: number;

  constructor(maxTopics: number = MAX_TOPICS) {
    this.#maxTopics = maxTopics;
  }

  get newest(): number {
    return this.#newest;
  }

  record(topics: readonly string[], seq: number): void {
    this.#newest = Math.max(this.#newest, seq);
    for (const topic of topics) {
      const before = this.#trimmed.get(topic) ?? 0;
      this.#trimmed.delete(topic);
      this.#trimmed.set(topic, Math.max(before, seq));
    }
    for (const [topic, oldest] of this.#trimmed) {
      if (this.#trimmed.size <= this.#maxTopics) break;
      this.#trimmed.delete(topic);
      this.#forgotten = Math.max(this.#forgotten, oldest);
    }
  }

  losses(after: number, wanted: MatcherSet): readonly Loss[] {
    if (this.#newest <= after) return [];
    const losses: Loss[] = [];
    for (const topic of wanted.topics) {
      const seq = this.#trimmed.get(topic) ?? this.#forgotten;
      if (seq > after) losses.push({ matcher: topic, seq });
    }
    for (const { pattern, matches } of wanted.patterns) {
      const seq = this.#newestMatching(matches);
      if (seq > after) losses.push({ matcher: { pattern }, seq });
    }
    return losses;
  }

  #newestMatching(matches: (topic: string) => boolean): number {
    if (this.#trimmed.size > MAX_SCANNED) return this.#newest;
    let newest = this.#forgotten;
    for (const [topic, seq] of this.#trimmed) if (matches(topic)) newest = Math.max(newest, seq);
    return newest;
  }
}
