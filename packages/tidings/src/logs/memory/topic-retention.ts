import { type LogEntry, type Retention, type TopicRules, boundsOf, sizeOf } from '../../log/index.ts';

interface BoundedEntry {
  readonly group: Group;
  readonly seq: number;
  readonly time: number;
  readonly bytes: number;
  /** The queue of its age, if that is bounded. */
  readonly aging: Queue | undefined;
  isGone: boolean;
}

/** Events that are bounded together: mostly a topic. */
interface Group {
  readonly name: string;
  retention: Retention;
  readonly held: Queue;
  events: number;
  bytes: number;
}

/** First in, first out. Entries removed from within remain as holes until half of it is holes. */
class Queue {
  #items: BoundedEntry[] = [];
  #start = 0;
  #gone = 0;

  get first(): BoundedEntry | undefined {
    while (this.#items[this.#start]?.isGone === true) this.#start += 1;
    if (this.#start > 1024 && this.#start > this.#items.length / 2) this.#pack();
    return this.#items[this.#start];
  }

  push(item: BoundedEntry): void {
    this.#items.push(item);
  }

  /** Takes note that one of them is gone. */
  lose(): void {
    this.#gone += 1;
    if (this.#gone > 1024 && this.#gone > this.#items.length / 2) this.#pack();
  }

  #pack(): void {
    this.#items = this.#items.slice(this.#start).filter(({ isGone }) => !isGone);
    this.#start = 0;
    this.#gone = 0;
  }
}

/** Counts the entries of topics whose rule bounds them, and says which ones have to go. */
export class TopicRetention {
  readonly #rules: TopicRules;
  readonly #take: (seq: number) => void;
  readonly #groups = new Map<string, Group>();
  readonly #bySeq = new Map<number, BoundedEntry>();
  /** The entries of all groups of a rule by age, to find old ones without looking at each topic. */
  readonly #aging = new Map<Retention, Queue>();

  /** Calls `take` with each seq that a topic's bounds no longer cover. */
  constructor(rules: TopicRules, take: (seq: number) => void) {
    this.#rules = rules;
    this.#take = take;
  }

  add(entry: LogEntry): void {
    const bounds = boundsOf(this.#rules, entry);
    if (bounds === undefined) return;
    const { group: name, retention } = bounds;
    let group = this.#groups.get(name);
    if (group === undefined) {
      group = { name, retention, held: new Queue(), events: 0, bytes: 0 };
      this.#groups.set(name, group);
    }
    group.retention = retention;
    const { seq, time } = entry;
    const aging = retention.age === undefined ? undefined : this.#agingOf(retention);
    const held: BoundedEntry = { group, seq, time, bytes: sizeOf(entry), aging, isGone: false };
    group.held.push(held);
    this.#bySeq.set(seq, held);
    group.events += 1;
    group.bytes += held.bytes;
    aging?.push(held);
    this.#trimGroup(group);
  }

  /** The entry was removed for another reason. */
  forget(entry: LogEntry): void {
    const held = this.#bySeq.get(entry.seq);
    if (held !== undefined) this.#drop(held);
  }

  /**
   * Takes what is too old. `now` in milliseconds since 1970.
   *
   * @param most how many to take of each rule.
   * @returns whether none are left.
   */
  trim(now: number, most: number): boolean {
    let isDone = true;
    for (const [{ age = Infinity }, queue] of this.#aging) {
      let taken = 0;
      for (let { first } = queue; first !== undefined && now - first.time > age; { first } = queue) {
        if (taken === most) {
          isDone = false;
          break;
        }
        taken += 1;
        this.#drop(first);
        this.#take(first.seq);
      }
    }
    return isDone;
  }

  #trimGroup(group: Group): void {
    const { events = Infinity, bytes = Infinity } = group.retention;
    for (;;) {
      const oldest = group.held.first;
      if (oldest === undefined || (group.events <= events && group.bytes <= bytes)) return;
      this.#drop(oldest);
      this.#take(oldest.seq);
    }
  }

  #agingOf(retention: Retention): Queue {
    let queue = this.#aging.get(retention);
    if (queue === undefined) this.#aging.set(retention, (queue = new Queue()));
    return queue;
  }

  #drop(held: BoundedEntry): void {
    const { group } = held;
    held.isGone = true;
    this.#bySeq.delete(held.seq);
    group.events -= 1;
    group.bytes -= held.bytes;
    group.held.lose();
    held.aging?.lose();
    if (group.events === 0) this.#groups.delete(group.name);
  }
}
