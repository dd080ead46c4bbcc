import type { CompiledPattern, MatcherSet } from '../protocol/matcher-set.ts';
import { isTag } from '../protocol/tags.ts';
import type { LogEntry } from './entry.ts';
import type { Loss } from './event-log.ts';
import {
  type KnownLosses,
  type LossPlace,
  NO_LOSS,
  isLossOf,
  joinLosses,
  lossesAfter,
} from './topic-losses.ts';

/** Topics remembered by name; beyond, those trimmed longest ago are only known together. */
const MAX_TOPICS = 100_000;
/** The most topics to compare with a pattern; beyond, the answer is "may have lost something". */
const MAX_SCANNED = 1000;

/** A topic's loss, which changes in place: a new object for each lost event would be half of its cost (`publish`). */
interface TrimmedTopic {
  seq: number;
  count: number;
  /** How many losses the tally had when it was put at the end of the order. */
  placedAt: number;
}

/**
 * Remembers up to where each topic's events were trimmed, to tell a reader which of its topics lost some. In bounded
 * memory: where it no longer knows, it says that something was lost.
 */
export class TrimmedTopics {
  readonly #public: Tally;
  readonly #private: Tally;
  #count = 0;

  constructor(maxTopics: number = MAX_TOPICS) {
    this.#public = new Tally(maxTopics);
    this.#private = new Tally(maxTopics);
  }

  /** The newest trimmed seq of all topics, 0 if none. */
  get newest(): number {
    return Math.max(this.#public.all.seq, this.#private.all.seq);
  }

  record({ topics, seq, private: isPrivate }: Pick<LogEntry, 'topics' | 'seq' | 'private'>): void {
    this.#count += 1;
    (isPrivate ? this.#private : this.#public).record(topics, seq, this.#count);
  }

  losses(after: number, wanted: MatcherSet, publicOnly = false): readonly Loss[] {
    const tallies = publicOnly ? [this.#public] : [this.#public, this.#private];
    const known = tallies.filter(({ all }) => all.seq > after).map((tally) => tally.known(publicOnly));
    return known.length === 0 ? [] : lossesAfter(after, wanted, known);
  }
}

class Tally {
  /** In about the order in which they were trimmed last: one that was put at the end lately stays where it is. */
  readonly #topics = new Map<string, TrimmedTopic>();
  readonly #lately: number;
  readonly #maxTopics: number;
  all: LossPlace = NO_LOSS;
  #forgotten = NO_LOSS;
  #length = 0;

  constructor(maxTopics: number) {
    this.#maxTopics = maxTopics;
    this.#lately = maxTopics / 100;
  }

  record(topics: readonly string[], seq: number, count: number): void {
    this.all = { seq: Math.max(this.all.seq, seq), count };
    this.#length += 1;
    // Nobody asks for tags, which are often unique: they would crowd out topics.
    for (const topic of topics) if (!isTag(topic)) this.#recordOn(topic, seq, count);
    if (this.#topics.size <= this.#maxTopics) return;
    for (const [topic, oldest] of this.#topics) {
      if (this.#topics.size <= this.#maxTopics) break;
      this.#topics.delete(topic);
      this.#forgotten = joinLosses(this.#forgotten, oldest);
    }
  }

  #recordOn(topic: string, seq: number, count: number): void {
    const known = this.#topics.get(topic);
    // A topic that comes back may have lost more before it was forgotten than it does now.
    const before = known?.seq ?? this.#forgotten.seq;
    const trimmed = known ?? { seq, count, placedAt: this.#length };
    trimmed.seq = Math.max(before, seq);
    trimmed.count = count;
    if (known !== undefined && this.#length - known.placedAt <= this.#lately) return;
    trimmed.placedAt = this.#length;
    this.#topics.delete(topic);
    this.#topics.set(topic, trimmed);
  }

  known(publicOnly: boolean): KnownLosses {
    const topics = this.#topics;
    const isFew = topics.size <= MAX_SCANNED;
    return {
      all: this.all,
      forgotten: this.#forgotten,
      ofTopic: (topic) => topics.get(topic),
      matching: (compiled) => (isFew ? this.#matching(compiled, publicOnly) : this.all),
    };
  }

  #matching(compiled: CompiledPattern, publicOnly: boolean): LossPlace {
    let found = this.#forgotten;
    for (const [topic, trimmed] of this.#topics)
      if (isLossOf(compiled, topic, publicOnly)) found = joinLosses(found, trimmed);
    return found;
  }
}
