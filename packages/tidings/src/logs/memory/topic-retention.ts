import { type LogEntry, type Retention, type TopicRules, sizeOf } from '../../log/index.ts';

interface Held {
  readonly seq: number;
  readonly time: number;
  readonly bytes: number;
}

interface TopicState {
  readonly retention: Retention;
  readonly held: Held[];
  bytes: number;
}

/** Keeps count, for topics whose rule bounds them, of what is held, and says what has to go. */
export class TopicRetention {
  readonly #rules: TopicRules;
  readonly #take: (seq: number) => void;
  readonly #topics = new Map<string, TopicState>();

  /** `take` is told of each seq that a topic's bounds no longer cover. */
  constructor(rules: TopicRules, take: (seq: number) => void) {
    this.#rules = rules;
    this.#take = take;
  }

  add(entry: LogEntry): void {
    const [topic] = entry.topics;
    const retention = this.#rules.of(topic)?.retention;
    if (retention === undefined) return;
    let state = this.#topics.get(topic);
    if (state === undefined) this.#topics.set(topic, (state = { retention, held: [], bytes: 0 }));
    const bytes = sizeOf(entry);
    state.held.push({ seq: entry.seq, time: entry.time, bytes });
    state.bytes += bytes;
    this.#trimTopic(topic, state, entry.time);
  }

  /** The log's own retention took the entry, which is the oldest of its topic. */
  forget(entry: LogEntry): void {
    const [topic] = entry.topics;
    const state = this.#topics.get(topic);
    if (state?.held[0]?.seq === entry.seq) this.#drop(topic, state);
  }

  /** `now` in milliseconds since 1970. */
  trim(now: number): void {
    for (const [topic, state] of this.#topics) this.#trimTopic(topic, state, now);
  }

  #trimTopic(topic: string, state: TopicState, now: number): void {
    const { events = Infinity, bytes = Infinity, age = Infinity } = state.retention;
    for (;;) {
      const oldest = state.held[0];
      if (oldest === undefined) break;
      if (state.held.length <= events && state.bytes <= bytes && now - oldest.time <= age) break;
      this.#drop(topic, state);
      this.#take(oldest.seq);
    }
  }

  #drop(topic: string, state: TopicState): void {
    state.bytes -= state.held.shift()?.bytes ?? 0;
    if (state.held.length === 0) this.#topics.delete(topic);
  }
}
