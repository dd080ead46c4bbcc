import {
  type LogEntry,
  type KnownLosses,
  type LogQuery,
  type Loss,
  type LossPlace,
  type MatcherSet,
  type Page,
  type TopicLoss,
  TopicWalk,
  isLossOf,
  lossesAfter,
  newestMatching,
  toPage,
} from '../../log/index.ts';
import { KEPT_LENGTH, isShortened, topicKey } from './records.ts';
import {
  type RowLimit,
  type Rows,
  type Span,
  type State,
  type Store,
  readRange,
  readTopicNames,
  readTopics,
} from './store.ts';

/** Topics followed one by one; with more of them the log is read through. */
const MAX_TOPICS = 200;
/** The most events to look at for one page, and names of topics, to keep nobody waiting long. */
const MAX_LOOKS = 5000;
const MAX_NAMES = 5000;
/** Events or names asked for at once. */
const STEP = 1000;

/** `end`: entries beyond it have not been announced yet, and don't exist for readers. */
export async function readPage(store: Store, query: LogQuery, end: number): Promise<Page> {
  const { after, before, matchers, snapshot: isValue = false } = query;
  const isBack = before !== undefined;
  const span = { low: after, high: Math.min(end, (before ?? Infinity) - 1), isBack, isValue };
  if (span.high <= after) return { entries: [], next: isBack ? after + 1 : end };
  const walk = await walkOn(store, matchers, isValue, isBack ? span.high : after + 1, end);
  const { topics } = walk;
  if (topics === undefined)
    return isValue ? readOnce(query, (limit) => readRange(store, span, limit)) : scan(store, query, span);
  // Events newer than the walk may be on topics that it has not met.
  const known = { ...span, high: Math.min(span.high, walk.until) };
  return readOnce(query, (limit) => readTopics(store, topics, known, limit));
}

async function readOnce({ wants, limit }: LogQuery, read: (limit: RowLimit) => Promise<Rows>): Promise<Page> {
  const rows = Math.max(1, Math.ceil(Math.min(STEP, limit.events + 1, limit.looks ?? Infinity)));
  const { entries, next } = await read({ rows, length: toLength(limit.length) });
  return toPage(entries.filter(wants), limit, next);
}

async function scan(store: Store, { wants, limit }: LogQuery, span: Span): Promise<Page> {
  const { isBack } = span;
  const end = isBack ? span.low + 1 : span.high;
  let looks = Math.max(1, Math.ceil(Math.min(limit.looks ?? MAX_LOOKS, MAX_LOOKS)));
  const found: LogEntry[] = [];
  let rest = span;
  for (;;) {
    const length = toLength(4 * limit.length);
    const { entries, next } = await readRange(store, rest, { rows: Math.min(STEP, looks), length });
    found.push(...entries.filter(wants));
    looks -= Math.max(1, entries.length);
    const page = toPage(found, limit, next);
    if (page.next !== next || page.entries.length >= limit.events || looks <= 0 || next === end) return page;
    rest = isBack ? { ...rest, high: next - 1 } : { ...rest, low: next };
  }
}

/** A whole number, as PostgreSQL wants it. */
function toLength(length: number): number {
  return Math.max(1, Math.ceil(Math.min(length, 1e12)));
}

/** Goes on with the walk over the names of topics, for a reader of these matchers that is at `seq`. */
async function walkOn(
  store: Store,
  matchers: MatcherSet,
  isValue: boolean,
  seq: number,
  end: number,
): Promise<TopicWalk> {
  const walk = store.walks[isValue ? 'values' : 'events'].of(matchers, seq, () => {
    const matches = (name: string): boolean => isShortened(name) || matchers.matchesTopic(name);
    return new TopicWalk({ matchers, until: end, most: MAX_TOPICS, toName: topicKey, matches });
  });
  let { next } = walk;
  for (let looked = 0; next !== undefined && looked < MAX_NAMES; looked += STEP) {
    // No longer than a shortened topic.
    const prefix = next.prefix.slice(0, KEPT_LENGTH).toWellFormed();
    const names = await readTopicNames(store, { prefix, start: next.after, isValue }, STEP);
    // Another reader of the same topics may have gone on with it meanwhile.
    if (walk.next?.prefix === next.prefix && walk.next.after === next.after)
      walk.take(names, names.length < STEP);
    ({ next } = walk);
  }
  return walk;
}

export async function readLosses(
  store: Store,
  { losses }: State,
  after: number,
  matchers: MatcherSet,
  publicOnly = false,
): Promise<readonly Loss[]> {
  const tallies = (publicOnly ? losses.slice(0, 1) : losses).filter(({ all }) => all.seq > after);
  if (tallies.length === 0) return [];
  const { run, sql } = store;
  const rows = await run(
    sql('SELECT private::text, topic, seq, count FROM SCHEMA.losses WHERE topic = ANY ($1::text[])'),
    [[...matchers.topics].map(topicKey)],
  );
  const known = await Promise.all(
    tallies.map(async (tally): Promise<KnownLosses> => {
      const isPrivate = tally === losses[1];
      const byTopic = new Map<string | null | undefined, LossPlace>();
      for (const [flag, topic, seq, count] of rows)
        if ((flag === 'true') === isPrivate) byTopic.set(topic, { seq: Number(seq), count: Number(count) });
      const newest = matchers.patterns.length > 0 ? await newestOf(store, isPrivate, 0) : [];
      return {
        ...tally,
        ofTopic: (topic) => byTopic.get(topicKey(topic)),
        matching: (compiled) =>
          // Of a shortened topic only the beginning is known.
          newestMatching(
            after,
            tally,
            newest,
            (topic) => isShortened(topic) || isLossOf(compiled, topic, publicOnly),
          ),
      };
    }),
  );
  return lossesAfter(after, matchers, known);
}

/** Topics that lost something since so many losses had been counted; undefined if there are too many. */
export async function topicsLost(store: Store, since: number): Promise<readonly TopicLoss[] | undefined> {
  const open = await newestOf(store, false, since);
  const hidden = await newestOf(store, true, since);
  return open === undefined || hidden === undefined ? undefined : [...open, ...hidden];
}

/** The same of public or private events, the last first. */
async function newestOf(
  { run, sql }: Store,
  isPrivate: boolean,
  since: number,
): Promise<readonly TopicLoss[] | undefined> {
  const text = `SELECT topic, seq, count FROM SCHEMA.losses WHERE private = $1::boolean AND count > $2::bigint
    ORDER BY count DESC LIMIT $3`;
  const rows = await run(sql(text), [isPrivate, since, MAX_LOOKS + 1]);
  if (rows.length > MAX_LOOKS) return undefined;
  return rows.map(([topic, seq, count]) => ({ topic: topic ?? '', seq: Number(seq), count: Number(count) }));
}
