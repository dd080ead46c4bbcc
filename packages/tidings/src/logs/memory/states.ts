import {
  EntryList,
  type LogEntry,
  type Page,
  type TopicRules,
  type Wanted,
  canonicalOf,
  isState,
  leftOf,
} from '../../log/index.ts';

/** The effect of a new value on an older event of its key. */
export interface Superseded {
  readonly older: LogEntry;
  /** Undefined: nothing. Otherwise the event by the topics that it still has; it may be the older one itself. */
  readonly left: LogEntry | undefined;
}

/** The values of a topic's keys, the key changed longest ago first. */
interface TopicStates {
  readonly keys: Map<string, readonly LogEntry[]>;
  count: number;
}

/** The newest event of each key on topics that are states, and older ones that it doesn't stand for everywhere. */
export class States {
  readonly #rules: TopicRules;
  readonly #topics = new Map<string, TopicStates>();
  readonly #entries = new EntryList();

  constructor(rules: TopicRules) {
    this.#rules = rules;
  }

  /** The seq of the oldest of them, Infinity if there are none. */
  get oldest(): number {
    return this.#entries.first?.seq ?? Infinity;
  }

  has(entry: LogEntry): boolean {
    return this.#entries.get(entry.seq) === entry;
  }

  /** The events that a key has, the newest last. */
  of({ key = '', ...event }: Pick<LogEntry, 'canonical' | 'topics' | 'key'>): readonly LogEntry[] {
    return this.#topics.get(canonicalOf(event))?.keys.get(key) ?? [];
  }

  /** The newest event of its key, if that is the one with this seq. */
  newest(seq: number): LogEntry | undefined {
    const entry = this.#entries.get(seq);
    return entry !== undefined && this.of(entry).at(-1) === entry ? entry : undefined;
  }

  /** @returns the effect on older events of its key. */
  set(entry: LogEntry): readonly Superseded[] {
    const topic = canonicalOf(entry);
    const { key = '' } = entry;
    let states = this.#topics.get(topic);
    if (states === undefined) this.#topics.set(topic, (states = { keys: new Map(), count: 0 }));
    const older = states.keys.get(key) ?? [];
    const superseded = older.map((each) => ({ older: each, left: leftOf(each, entry) }));
    const kept = superseded.flatMap(({ older: each, left }) => {
      const stays = left !== undefined && isState(this.#rules, left);
      if (!stays) this.#entries.remove(each.seq);
      else if (left !== each) this.#entries.replace(left);
      return stays ? [left] : [];
    });
    states.keys.delete(key);
    states.keys.set(key, [...kept, entry]);
    states.count += kept.length + 1 - older.length;
    this.#entries.push(entry);
    return superseded;
  }

  delete(entry: LogEntry): void {
    if (this.#entries.remove(entry.seq) === undefined) return;
    const topic = canonicalOf(entry);
    const states = this.#topics.get(topic);
    if (states === undefined) return;
    const { key = '' } = entry;
    const rest = (states.keys.get(key) ?? []).filter(({ seq }) => seq !== entry.seq);
    // Setting a key of a Map again keeps its position.
    if (rest.length > 0) states.keys.set(key, rest);
    else states.keys.delete(key);
    states.count -= 1;
    if (states.count === 0) this.#topics.delete(topic);
  }

  /** The oldest value of a topic that has more than `most`. */
  excess(topic: string, most: number): LogEntry | undefined {
    const states = this.#topics.get(topic);
    if (states === undefined || states.count <= most) return undefined;
    for (const [oldest] of states.keys.values()) return oldest;
    return undefined;
  }

  /** In seq order, up to `end`. */
  read(after: number, end: number, wanted: Wanted): Page {
    return this.#entries.read(after, end, wanted);
  }

  /** Newest first, below `before`. */
  readBack(before: number, after: number, wanted: Wanted): Page {
    return this.#entries.readBack(before, after, wanted);
  }
}
