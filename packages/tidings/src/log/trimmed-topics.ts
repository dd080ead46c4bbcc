import { type CompiledPattern, type MatcherSet, matcherOf } from '../protocol/matcher-set.ts';
import { isTag } from '../protocol/tags.ts';
import type { Loss } from './event-log.ts';

/** Topics remembered by name; beyond, those trimmed longest ago are only known together. */
const MAX_TOPICS = 100_000;
/** The most topics to compare with a pattern; beyond, the answer is "may have lost something". */
const MAX_SCANNED = 1000;

interface Trimmed {
  /** The newest event taken. */
  readonly seq: number;
  /** As in `Loss`. */
  readonly count: number;
}

const NONE: Trimmed = { seq: 0, count: 0 };

/** A topic's loss, which changes in place: a new object for each lost event would be half of its cost (`publish`). */
interface TrimmedTopic {
  seq: number;
  count: number;
  /** The count when it was put at the end of the order. */
  placedAt: number;
}

/**
 * Remembers up to where each topic's events were trimmed, to tell a reader which of its topics lost some. In bounded
 * memory: where it no longer knows, it says that something was lost.
 */
export class TrimmedTopics {
  /** In about the order in which they were trimmed last: one that was put at the end lately stays where it is. */
  readonly #topics = new Map<string, TrimmedTopic>();
  readonly #lately: number;
  /** The combined loss of the topics that are no longer in the map, and of all topics. */
  #forgotten = NONE;
  #all = NONE;
  readonly #maxTopics: number;

  constructor(maxTopics: number = MAX_TOPICS) {
    this.#maxTopics = maxTopics;
    this.#lately = maxTopics / 100;
  }

  /** The newest trimmed seq of all topics, 0 if none. */
  get newest(): number {
    return this.#all.seq;
  }

  record(topics: readonly string[], seq: number): void {
    const count = this.#all.count + 1;
    this.#all = { seq: Math.max(this.#all.seq, seq), count };
    // Nobody asks for tags, which are often unique: they would crowd out topics.
    for (const topic of topics) if (!isTag(topic)) this.#recordOn(topic, seq, count);
    if (this.#topics.size <= this.#maxTopics) return;
    for (const [topic, oldest] of this.#topics) {
      if (this.#topics.size <= this.#maxTopics) break;
      this.#topics.delete(topic);
      this.#forgotten = join(this.#forgotten, oldest);
    }
  }

  #recordOn(topic: string, seq: number, count: number): void {
    const known = this.#topics.get(topic);
    // A topic that comes back may have lost more before it was forgotten than it does now.
    const before = known?.seq ?? this.#forgotten.seq;
    const trimmed = known ?? { seq, count, placedAt: count };
    trimmed.seq = Math.max(before, seq);
    trimmed.count = count;
    if (known !== undefined && count - known.placedAt <= this.#lately) return;
    trimmed.placedAt = count;
    this.#topics.delete(topic);
    this.#topics.set(topic, trimmed);
  }

  losses(after: number, wanted: MatcherSet): readonly Loss[] {
    if (this.newest <= after) return [];
    const losses: Loss[] = [];
    for (const topic of wanted.topics) {
      const { seq, count } = this.#topics.get(topic) ?? this.#forgotten;
      losses.push({ matcher: topic, seq, count });
    }
    for (const compiled of wanted.patterns) {
      losses.push({ matcher: matcherOf(compiled), ...this.#matching(compiled) });
    }
    return losses.filter(({ seq }) => seq > after);
  }

  #matching(compiled: CompiledPattern): Trimmed {
    if (this.#topics.size > MAX_SCANNED) return this.#all;
    let found = this.#forgotten;
    for (const [topic, trimmed] of this.#topics) if (compiled.matches(topic)) found = join(found, trimmed);
    return found;
  }
}

function join(a: Trimmed, b: Trimmed): Trimmed {
  return { seq: Math.max(a.seq, b.seq), count: Math.max(a.count, b.count) };
}
