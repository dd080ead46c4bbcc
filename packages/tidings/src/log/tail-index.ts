import type { MatcherSet } from '../protocol/matcher-set.ts';

interface Indexed {
  readonly seq: number;
  readonly topics: readonly string[];
}

/** Ascending. Seqs before `start` are gone; the array is cut now and then instead of shifted each time. */
interface Seqs {
  list: number[];
  start: number;
}

/** A topic's seqs, and which of them is the next. */
interface Followed {
  readonly list: readonly number[];
  at: number;
}

/** Topics followed one by one; with more of them every event is looked at instead. */
const MAX_FOLLOWED = 200;
/** To follow a topic costs about as much as to look at so many events. */
const COST_OF_TOPIC = 8;

/** Finds each topic's events in the tail: a page costs as much as its own entries, however long the tail is. */
export class TailIndex {
  readonly #seqsOf = new Map<string, Seqs>();

  add({ seq, topics }: Indexed): void {
    for (const topic of topics) {
      const seqs = this.#seqsOf.get(topic);
      if (seqs === undefined) this.#seqsOf.set(topic, { list: [seq], start: 0 });
      // An event may name a topic twice.
      else if (seqs.list.at(-1) !== seq) seqs.list.push(seq);
    }
  }

  /** Of an entry that may be older than others. */
  insert({ seq, topics }: Indexed): void {
    for (const topic of topics) {
      const seqs = this.#seqsOf.get(topic);
      if (seqs === undefined) this.add({ seq, topics: [topic] });
      else {
        const at = firstFrom(seqs, seq);
        if (seqs.list[at] !== seq) seqs.list.splice(at, 0, seq);
      }
    }
  }

  remove({ seq, topics }: Indexed): void {
    for (const topic of topics) {
      const seqs = this.#seqsOf.get(topic);
      if (seqs === undefined) continue;
      // Mostly the oldest goes.
      const at = seqs.list[seqs.start] === seq ? seqs.start : firstFrom(seqs, seq);
      if (seqs.list[at] !== seq) continue;
      if (at === seqs.start) dropFirst(seqs);
      else seqs.list.splice(at, 1);
      if (seqs.start === seqs.list.length) this.#seqsOf.delete(topic);
    }
  }

  clear(): void {
    this.#seqsOf.clear();
  }

  /**
   * Seqs after the cursor of events with a topic that is asked for, ascending.
   *
   * @returns undefined if it costs less to look at all the events after it, of which there are `distance`; or if more
   * names than `looks` would have to be looked at, since a look at events can be broken off.
   */
  after(
    cursor: number,
    distance: number,
    matchers: MatcherSet,
    looks: number = Infinity,
  ): Iterable<number> | undefined {
    const followed = this.#choose(cursor, distance, matchers, looks);
    return followed === undefined ? undefined : merge(followed);
  }

  /** The same for seqs below `before` and down to the cursor, descending. `distance`: the events in between. */
  before(
    before: number,
    cursor: number,
    distance: number,
    matchers: MatcherSet,
    looks: number = Infinity,
  ): Iterable<number> | undefined {
    const followed = this.#choose(cursor, distance, matchers, looks);
    return followed === undefined ? undefined : mergeBack(followed, before);
  }

  #choose(
    cursor: number,
    distance: number,
    matchers: MatcherSet,
    looks: number,
  ): readonly Followed[] | undefined {
    if (distance <= matchers.topics.size * COST_OF_TOPIC) return undefined;
    const names = this.#seqsOf.size;
    if (matchers.patterns.length > 0 && (distance <= names || names > looks)) return undefined;
    const followed = this.#follow(matchers, cursor);
    if (followed === undefined) return undefined;
    // The next of many topics costs a look at each of them; among all events it is found after a few, if there are many.
    const found = followed.reduce((total, { list, at }) => total + list.length - at, 0);
    return found * followed.length > distance ? undefined : followed;
  }

  #follow(matchers: MatcherSet, cursor: number): Followed[] | undefined {
    const { topics, patterns } = matchers;
    const followed: Followed[] = [];
    const names = patterns.length > 0 ? this.#seqsOf.keys() : topics;
    for (const topic of names) {
      const seqs = this.#seqsOf.get(topic);
      if (seqs === undefined || (patterns.length > 0 && !matchers.matchesTopic(topic))) continue;
      if (followed.length === MAX_FOLLOWED) return undefined;
      followed.push({ list: seqs.list, at: firstFrom(seqs, cursor + 1) });
    }
    return followed;
  }
}

function dropFirst(seqs: Seqs): void {
  seqs.start += 1;
  if (seqs.start < 1024 || seqs.start < seqs.list.length / 2) return;
  seqs.list = seqs.list.slice(seqs.start);
  seqs.start = 0;
}

/** The index of the first that is not below `seq`. */
function firstFrom(
  { list, start }: { readonly list: readonly number[]; readonly start: number },
  seq: number,
): number {
  let low = start;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((list[middle] ?? Infinity) < seq) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Those before each topic's next one. */
function* mergeBack(followed: readonly Followed[], before: number): Generator<number> {
  const places = followed.map(({ list, at: first }) => ({
    list,
    first,
    at: firstFrom({ list, start: first }, before) - 1,
  }));
  for (;;) {
    let next = -1;
    for (const { list, at, first } of places) if (at >= first) next = Math.max(next, list[at] ?? -1);
    if (next === -1) return;
    for (const each of places) if (each.at >= each.first && each.list[each.at] === next) each.at -= 1;
    yield next;
  }
}

/** Each seq once, though several topics may have it. */
function* merge(followed: readonly Followed[]): Generator<number> {
  for (;;) {
    let next = Infinity;
    for (const { list, at } of followed) next = Math.min(next, list[at] ?? Infinity);
    if (next === Infinity) return;
    for (const each of followed) if (each.list[each.at] === next) each.at += 1;
    yield next;
  }
}
