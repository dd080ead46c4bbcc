import type { LogEntry, MatcherSet } from '../../log/index.ts';

/** The newest event of each key, for topics that are states. */
export class States {
  readonly #topics = new Map<string, Map<string, LogEntry>>();

  /** The seq of the oldest of them, Infinity if there are none. */
  get oldest(): number {
    let oldest = Infinity;
    for (const keys of this.#topics.values())
      for (const { seq } of keys.values()) oldest = Math.min(oldest, seq);
    return oldest;
  }

  has(entry: LogEntry): boolean {
    return this.#topics.get(entry.topics[0])?.get(entry.key ?? '') === entry;
  }

  /** @returns the event that `entry` supersedes. */
  set(entry: LogEntry): LogEntry | undefined {
    const [topic] = entry.topics;
    let keys = this.#topics.get(topic);
    if (keys === undefined) this.#topics.set(topic, (keys = new Map<string, LogEntry>()));
    const key = entry.key ?? '';
    const before = keys.get(key);
    keys.set(key, entry);
    return before;
  }

  delete(entry: LogEntry): void {
    const [topic] = entry.topics;
    const keys = this.#topics.get(topic);
    keys?.delete(entry.key ?? '');
    if (keys?.size === 0) this.#topics.delete(topic);
  }

  /** In seq order, from topics that `matchers` match by their canonical topic or by another. */
  between(after: number, end: number, matchers: MatcherSet): LogEntry[] {
    const found: LogEntry[] = [];
    for (const keys of this.#topics.values()) {
      for (const entry of keys.values()) {
        if (entry.seq > after && entry.seq <= end && matchers.matches(entry.topics)) found.push(entry);
      }
    }
    return found.sort((a, b) => a.seq - b.seq);
  }
}
