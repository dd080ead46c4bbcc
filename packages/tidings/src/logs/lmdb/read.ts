import {
  type LogEntry,
  type LogQuery,
  type MatcherSet,
  type Page,
  TopicWalk,
  type WalkStep,
} from '../../log/index.ts';
import { ANY, type Store, findEntry, isShortened, KEPT_LENGTH, entriesFrom, topicKey } from './store.ts';

/** [topic, seq], in order. */
type TopicTable = Store['topics'];

/** Topics followed one by one for a pattern; with more of them the log is read through. */
const MAX_TOPICS = 200;
/** The most events to look at for one page, which takes about 3 ms (`turns`). */
const MAX_LOOKS = 2000;
/** Jumping to the next name of the index costs as much as looking at so many events. */
const LOOKS_PER_NAME = 4;

/** The seqs that a page may come from, and in which direction. */
interface Span {
  /** Exclusive. */
  readonly low: number;
  /** Inclusive. */
  readonly high: number;
  readonly isBack: boolean;
}

/** `end`: entries beyond it have not been announced yet, so they don't exist for readers. */
export function readPage(store: Store, query: LogQuery, end: number): Page {
  const { after, before, matchers } = query;
  const isBack = before !== undefined;
  const span = { low: after, high: Math.min(end, (before ?? Infinity) - 1), isBack };
  if (span.high <= after) return { entries: [], next: isBack ? after + 1 : end };
  const looks = looksOf(query);
  if (matchers.patterns.length === 0)
    return followTopics(store, store.topics, [...matchers.topics].map(topicKey), query, span);
  const walk = walkOn(
    store.topics,
    walkOf(store, 'topics', matchers, isBack ? span.high : after + 1, end),
    looks,
  );
  const { topics } = walk;
  if (topics !== undefined)
    return followTopics(store, store.topics, topics, query, {
      ...span,
      high: Math.min(span.high, walk.until),
    });
  const isWalking = walk.next !== undefined;
  return scanLog(store, { ...query, looks: isWalking ? Math.ceil(looks / 2) : looks }, span);
}

/** The newest event of each key, in seq order. */
export function readStates(store: Store, query: LogQuery, end: number): Page {
  const { after, matchers } = query;
  const span = { low: after, high: end, isBack: false };
  if (end <= after) return { entries: [], next: end };
  const walk = walkOn(store.values, walkOf(store, 'values', matchers, after + 1, end), looksOf(query));
  const { topics } = walk;
  if (topics === undefined) return followTopics(store, store.values, [ANY], query, span);
  return followTopics(store, store.values, topics, query, { ...span, high: Math.min(end, walk.until) });
}

function looksOf({ limit }: Pick<LogQuery, 'limit'>): number {
  return Math.min(limit.looks ?? MAX_LOOKS, MAX_LOOKS);
}

/** Costs as much as the page has entries, however long the log is. */
function followTopics(
  store: Store,
  index: TopicTable,
  topics: readonly string[],
  query: LogQuery,
  { low, high, isBack }: Span,
): Page {
  const { wants, limit } = query;
  const looks = looksOf(query);
  const heads = topics.map((topic) => {
    const keys = index
      .getKeys(
        isBack
          ? { start: [topic, high], end: [topic, low], reverse: true }
          : { start: [topic, low + 1], end: [topic, high + 1] },
      )
      [Symbol.iterator]();
    return { keys, seq: nextSeq(keys) };
  });
  const entries: LogEntry[] = [];
  let length = 0;
  let looked = 0;
  let next = isBack ? low + 1 : high;
  for (;;) {
    let seq: number | undefined;
    for (const head of heads)
      if (head.seq !== undefined && (seq === undefined || (isBack ? head.seq > seq : head.seq < seq)))
        seq = head.seq;
    if (seq === undefined) break;
    for (const head of heads) if (head.seq === seq) head.seq = nextSeq(head.keys);
    const entry = findEntry(store, seq);
    looked += 1;
    if (entry !== undefined && wants(entry)) {
      entries.push(entry);
      length += entry.data.length;
    }
    if (entries.length < limit.events && length < limit.length && looked < looks) continue;
    next = seq;
    break;
  }
  for (const { keys } of heads) keys.return?.();
  return { entries, next };
}

function nextSeq(keys: Iterator<[string, number], unknown>): number | undefined {
  const next = keys.next();
  return next.done === true ? undefined : next.value[1];
}

/** Reads the log through. */
export function scanLog(
  store: Store,
  { wants, limit, looks = MAX_LOOKS }: Pick<LogQuery, 'wants' | 'limit'> & { readonly looks?: number },
  { low, high, isBack }: Span,
): Page {
  const entries: LogEntry[] = [];
  let length = 0;
  let looked = 0;
  const range = isBack ? { start: high, end: low, reverse: true } : { start: low + 1, end: high + 1 };
  for (const [seq, entry] of entriesFrom(store, range)) {
    looked += 1;
    if (entry !== undefined && wants(entry)) {
      entries.push(entry);
      length += entry.data.length;
    }
    if (entries.length >= limit.events || length >= limit.length || looked >= looks)
      return { entries, next: seq };
  }
  return { entries, next: isBack ? low + 1 : high };
}

/** The walk over the names of a table for a reader of these matchers, which is at `seq`. */
function walkOf(
  store: Store,
  table: 'topics' | 'values',
  matchers: MatcherSet,
  seq: number,
  end: number,
): TopicWalk {
  const begin = (): TopicWalk =>
    new TopicWalk({
      matchers,
      until: end,
      most: MAX_TOPICS,
      toName: topicKey,
      matches: (name) => name !== ANY && (isShortened(name) || matchers.matchesTopic(name)),
    });
  return store.walks[table].of(matchers, seq, begin);
}

/** Jumps from name to name, for about half of the looks of a page. */
function walkOn(index: TopicTable, walk: TopicWalk, looks: number): TopicWalk {
  let names = Math.max(1, Math.floor(looks / 2 / LOOKS_PER_NAME));
  for (let { next } = walk; next !== undefined && names > 0; { next } = walk, names -= 1) {
    const name = nextName(index, next);
    walk.take(name === undefined ? [] : [name], name === undefined);
  }
  return walk;
}

function nextName(index: TopicTable, { prefix, after }: WalkStep): string | undefined {
  // No longer than a shortened topic.
  const beginning = prefix.slice(0, KEPT_LENGTH);
  const start: [string, number] = after === undefined ? [beginning, 0] : [after, Infinity];
  const [found] = Array.from(index.getKeys({ start, limit: 1 }));
  return found?.[0].startsWith(beginning) === true ? found[0] : undefined;
}
