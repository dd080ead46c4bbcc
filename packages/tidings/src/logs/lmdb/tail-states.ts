import { type LogEntry, type TopicRules, isState } from '../../log/index.ts';

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

  /** @returns the seq of the event of the same key that was the newest before. */
  set(entry: LogEntry): number | undefined {
    if (!isState(this.#rules, entry)) return undefined;
    const place = placeOf(entry);
    const before = this.#seqs.get(place);
    this.#seqs.set(place, entry.seq);
    return before;
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
