import {
  type LogEntry,
  type LogQuery,
  type MatcherSet,
  type Page,
  TopicWalk,
  toPage,
} from '../../log/index.ts';
import { readRange, readStored } from './entries.ts';
import { type Span, type Store, readNames, readSeqs } from './store.ts';

/** Topics followed one by one; with more of them the log is read through. */
const MAX_TOPICS = 200;
/** The most events to look at for one page, and names of topics, to block neither Redis nor this process. */
const MAX_LOOKS = 5000;
const MAX_NAMES = 5000;
/** Events or names asked for at once. */
const STEP = 1000;
/** The fewest entries asked for at once. */
const MIN_STEP = 16;

/** `end`: entries beyond it have not been announced yet, and don't exist for readers. */
export async function readPage(store: Store, query: LogQuery, end: number): Promise<Page> {
  const { after, before, matchers } = query;
  const isBack = before !== undefined;
  const span = { low: after, high: Math.min(end, (before ?? Infinity) - 1), isBack };
  if (span.high <= after) return { entries: [], next: isBack ? after + 1 : end };
  const walk = await walkOn(store, 'topics', matchers, isBack ? span.high : after + 1, end);
  const sets = walk.topics?.map((topic) => `t:${topic}`);
  if (sets === undefined) return scanLog(store, query, span);
  return followSets(store, sets, query, { ...span, high: Math.min(span.high, walk.until) });
}

/** The newest event of each key, in seq order. */
export async function readValues(store: Store, query: LogQuery, end: number): Promise<Page> {
  const { after, matchers } = query;
  if (after >= end) return { entries: [], next: end };
  const wants = (entry: LogEntry): boolean => !entry.tombstone && query.wants(entry);
  const walk = await walkOn(store, 'stopics', matchers, after + 1, end);
  const sets = walk.topics?.map((topic) => `s:${topic}`);
  const high = sets === undefined ? end : Math.min(end, walk.until);
  return followSets(store, sets ?? ['values'], { ...query, wants }, { low: after, high, isBack: false });
}

/** Costs as much as the page has entries, however long the log is. */
async function followSets(
  store: Store,
  sets: readonly string[],
  { matchers, wants, limit }: LogQuery,
  span: Span,
): Promise<Page> {
  const { low, high, isBack } = span;
  const count = Math.min(STEP, limit.events + 1, limit.looks ?? Infinity);
  const end = isBack ? low + 1 : high;
  const found = await Promise.all(sets.map((set) => readSeqs(store, set, span, count)));
  // If a set has more than this, entries beyond its last are unknown.
  const ends = found.map(({ seqs, isAll }) => (isAll ? end : (seqs.at(-1) ?? end)));
  const known = isBack ? Math.max(end, ...ends) : Math.min(end, ...ends);
  // The pack in which the span ends has a greater seq than that, or it is none.
  const beyond = Math.min(...found.map((each) => each.beyond ?? Infinity));
  const within = [...new Set(found.flatMap(({ seqs }) => seqs))].filter((seq) =>
    isBack ? seq >= known : seq <= known,
  );
  const ids = beyond < Infinity && (isBack || known === high) ? [...within, beyond] : within;
  ids.sort((a, b) => (isBack ? b - a : a - b));
  const entries: LogEntry[] = [];
  let looks = 0;
  let reached = known;
  for (let at = 0; at < ids.length;) {
    const step = Math.max(MIN_STEP, Math.ceil((count - looks) / store.perEntry));
    for (const stored of await readStored(store, ids.slice(at, at + step))) {
      for (const entry of isBack ? stored.entries.toReversed() : stored.entries) {
        if (entry.seq <= low || entry.seq > high) continue;
        if ((!stored.isPack || matchers.matches(entry.topics)) && wants(entry)) entries.push(entry);
        reached = entry.seq;
        looks += 1;
        if (looks >= count) return toPage(entries, limit, reached);
      }
    }
    at += step;
  }
  // Read backwards, a pack may go on beyond what is known.
  return toPage(entries, limit, isBack ? Math.min(known, reached) : known);
}

async function scanLog(store: Store, { wants, limit }: LogQuery, span: Span): Promise<Page> {
  const { isBack } = span;
  const end = isBack ? span.low + 1 : span.high;
  let looks = Math.min(limit.looks ?? MAX_LOOKS, MAX_LOOKS);
  const found: LogEntry[] = [];
  let rest = span;
  for (;;) {
    const { entries, until } = await readRange(store, rest, Math.min(STEP, looks));
    const next = until ?? end;
    for (const entry of entries) if (wants(entry)) found.push(entry);
    looks -= Math.max(1, entries.length);
    const page = toPage(found, limit, next);
    if (page.next !== next || page.entries.length >= limit.events || looks <= 0 || next === end) return page;
    rest = isBack ? { ...rest, high: next - 1 } : { ...rest, low: next };
  }
}

/** Goes on with the walk over the names of an index, for a reader of these matchers that is at `seq`. */
async function walkOn(
  store: Store,
  index: 'topics' | 'stopics',
  matchers: MatcherSet,
  seq: number,
  end: number,
): Promise<TopicWalk> {
  const walk = store.walks[index].of(
    matchers,
    seq,
    () => new TopicWalk({ matchers, until: end, most: MAX_TOPICS }),
  );
  let { next } = walk;
  for (let looked = 0; next !== undefined && looked < MAX_NAMES; looked += STEP) {
    const names = await readNames(store, index, next.prefix, next.after, STEP);
    // Another reader of the same topics may have gone on with it meanwhile.
    if (walk.next?.prefix === next.prefix && walk.next.after === next.after)
      walk.take(names, names.length < STEP);
    ({ next } = walk);
  }
  return walk;
}
