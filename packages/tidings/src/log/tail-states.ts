import type { LogEntry } from './entry.ts';
import { type TopicRules, isState } from './topic-rules.ts';

/**
 * The newest event of each key that the tail holds. What superseded it may have been superseded itself before this
 * process saw it, so no record of the log could tell.
 */
export class TailStates {
  readonly #rules: TopicRules;
  readonly #seqs = new Map<string, number>();

  constructor(rules: TopicRules) {
    this.#rules = rules;
  }

  /** The seqs of older events of the same keys, which these may have superseded. Changes nothing. */
  olderThan(entries: readonly LogEntry[]): number[] {
    const older: number[] = [];
    const newest = new Map<string, number>();
    for (const entry of entries) {
      if (!isState(this.#rules, entry)) continue;
      const place = placeOf(entry);
      const before = newest.get(place) ?? this.#seqs.get(place);
      if (before !== undefined) older.push(before);
      newest.set(place, entry.seq);
    }
    return older;
  }

  add(entries: readonly LogEntry[]): void {
    for (const entry of entries) if (isState(this.#rules, entry)) this.#seqs.set(placeOf(entry), entry.seq);
  }

  /** The tail no longer holds the entry. */
  delete(entry: LogEntry): void {
    if (this.#seqs.size === 0) return;
    const place = placeOf(entry);
    if (this.#seqs.get(place) === entry.seq) this.#seqs.delete(place);
  }
}

/** No topic contains a line end. */
function placeOf({ topics, key }: LogEntry): string {
  return `${topics[0]}\n${key}`;
}
