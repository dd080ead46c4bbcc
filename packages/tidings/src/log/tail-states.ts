import { type LogEntry, canonicalOf } from './entry.ts';
import { type TopicRules, isState } from './topic-rules.ts';

/**
 * The tail's events of each key: the newest, and older ones that it doesn't replace on all topics. The event that
 * superseded one of them may itself be superseded before this process sees it, so no record of the log could tell.
 */
export class TailStates {
  readonly #rules: TopicRules;
  readonly #seqs = new Map<string, readonly number[]>();

  constructor(rules: TopicRules) {
    this.#rules = rules;
  }

  /** The seqs of older events of the same keys, which these may have superseded. Changes nothing. */
  olderThan(entries: readonly LogEntry[]): number[] {
    const older = new Set<number>();
    const newer = new Map<string, number[]>();
    for (const entry of entries) {
      if (!isState(this.#rules, entry)) continue;
      const place = placeOf(entry);
      for (const seq of this.#seqs.get(place) ?? []) older.add(seq);
      const before = newer.get(place) ?? [];
      for (const seq of before) older.add(seq);
      newer.set(place, [...before, entry.seq]);
    }
    return [...older];
  }

  add(entries: readonly LogEntry[]): void {
    for (const entry of entries) {
      if (!isState(this.#rules, entry)) continue;
      const place = placeOf(entry);
      this.#seqs.set(place, [...(this.#seqs.get(place) ?? []), entry.seq]);
    }
  }

  /** The tail no longer has the entry. */
  delete(entry: LogEntry): void {
    // Nearly every event comes through here once, and most have no key.
    if (entry.key === undefined || this.#seqs.size === 0) return;
    const place = placeOf(entry);
    const rest = this.#seqs.get(place)?.filter((seq) => seq !== entry.seq);
    if (rest === undefined) return;
    if (rest.length > 0) this.#seqs.set(place, rest);
    else this.#seqs.delete(place);
  }
}

/** No topic contains a line end. */
function placeOf(entry: LogEntry): string {
  return `${canonicalOf(entry)}\n${entry.key}`;
}
