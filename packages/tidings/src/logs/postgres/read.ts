import {
  type CompiledPattern,
  type LogEntry,
  type LogQuery,
  type Loss,
  type MatcherSet,
  type Page,
  literalPrefix,
  toPage,
} from '../../log/index.ts';
import { KEPT_LENGTH, isShortened, topicKey } from './records.ts';
import { type Rows, type State, type Store, readRange, readTopicNames, readTopics } from './store.ts';

/** Topics followed one by one; with more of them the log is read through. */
const MAX_TOPICS = 200;
/** The most names to compare with a pattern, and events to look at for a page, to keep nobody waiting long. */
const MAX_NAMES = 5000;
const MAX_SCANNED = 5000;
const STEP = 1000;

/** `end`: entries beyond it have not been announced yet, and don't exist for readers. */
export async function readPage(store: Store, query: LogQuery, end: number): Promise<Page> {
  const { after, limit, snapshot: isValue = false } = query;
  if (after >= end) return { entries: [], next: end };
  const topics = await topicsOf(store, query.matchers, isValue, limit.looks);
  const most = Math.max(1, Math.min(STEP, limit.events + 1, limit.looks ?? STEP));
  const rows = { rows: most, length: Math.max(1, limit.length) };
  if (topics !== undefined) {
    return toWanted(await readTopics(store, topics, { after, end, isValue }, rows), query);
  }
  return isValue
    ? toWanted(await readRange(store, { after, end, isValue }, rows), query)
    : scan(store, query, end);
}

function toWanted({ entries, next }: Rows, { wants, limit }: LogQuery): Page {
  return toPage(entries.filter(wants), limit, next);
}

async function scan(store: Store, { after, wants, limit }: LogQuery, end: number): Promise<Page> {
  const found: LogEntry[] = [];
  let next = after;
  const looks = Math.max(1, Math.min(MAX_SCANNED, limit.looks ?? MAX_SCANNED));
  for (let scanned = 0; scanned < looks && next < end;) {
    const rows = Math.min(STEP, looks - scanned);
    const page = await readRange(store, { after: next, end }, { rows, length: 4 * limit.length });
    next = page.next;
    scanned += page.entries.length;
    found.push(...page.entries.filter(wants));
    const wanted = toPage(found, limit, next);
    if (wanted.next < next || wanted.entries.length >= limit.events) return wanted;
  }
  return toPage(found, limit, next);
}

/**
 * The topics that are asked for, by their names in the index; undefined if there are too many to follow, or to compare
 * with the patterns.
 */
async function topicsOf(
  store: Store,
  { topics: given, patterns }: MatcherSet,
  isValue: boolean,
  looks: number = MAX_NAMES,
): Promise<readonly string[] | undefined> {
  const topics = new Set([...given].map(topicKey));
  const budget = { names: Math.min(MAX_NAMES, looks) };
  for (const pattern of patterns) {
    if (topics.size > MAX_TOPICS) return undefined;
    const isWhole = await addMatching(topics, store, pattern, isValue, budget);
    if (!isWhole) return undefined;
  }
  return topics.size > MAX_TOPICS ? undefined : [...topics];
}

/** @returns whether these are all. */
async function addMatching(
  topics: Set<string>,
  store: Store,
  compiled: CompiledPattern,
  isValue: boolean,
  budget: { names: number },
): Promise<boolean> {
  // No longer than a shortened topic.
  const prefix = literalPrefix(compiled.pattern).slice(0, KEPT_LENGTH).toWellFormed();
  let start: string | undefined;
  while (budget.names > 0 && topics.size <= MAX_TOPICS) {
    const count = Math.min(STEP, budget.names);
    const names = await readTopicNames(store, { prefix, start, isValue }, count);
    budget.names -= Math.max(1, names.length);
    for (const name of names) if (isShortened(name) || compiled.matches(name)) topics.add(name);
    if (names.length < count) return true;
    start = names.at(-1);
  }
  return false;
}

export async function readLosses(
  store: Store,
  state: State,
  after: number,
  matchers: MatcherSet,
): Promise<readonly Loss[]> {
  if (state.newestLoss <= after) return [];
  const { run, sql } = store;
  const topics = [...matchers.topics];
  const rows = await run(sql('SELECT topic, seq, count FROM SCHEMA.losses WHERE topic = ANY ($1::text[])'), [
    topics.map(topicKey),
  ]);
  const known = new Map(
    rows.map(([topic, seq, count]) => [topic, { seq: Number(seq), count: Number(count) }]),
  );
  const losses: Loss[] = topics.map((topic) => ({
    matcher: topic,
    ...(known.get(topicKey(topic)) ?? state.forgotten),
  }));
  if (matchers.patterns.length > 0) {
    const lost = await topicsLost(store, 0);
    for (const compiled of matchers.patterns)
      losses.push({ matcher: { pattern: compiled.pattern }, ...lossMatching(state, lost, after, compiled) });
  }
  return losses.filter(({ seq }) => seq > after);
}

interface TopicLoss {
  readonly topic: string;
  readonly seq: number;
  readonly count: number;
}

/** From the last loss backwards. With very many topics to look at, one is taken to match. */
function lossMatching(
  state: State,
  lost: readonly TopicLoss[] | undefined,
  after: number,
  compiled: CompiledPattern,
): Omit<TopicLoss, 'topic'> {
  if (lost === undefined) return { seq: state.newestLoss, count: state.lossCount };
  const matching = lost.filter(({ topic }) => isShortened(topic) || compiled.matches(topic));
  const found = matching.find(({ seq }) => seq > after);
  if (found === undefined) return state.forgotten;
  return { seq: found.seq, count: matching[0]?.count ?? found.count };
}

/** Topics that lost something since so many losses had been counted, the last first; undefined if there are too many. */
export async function topicsLost(
  { run, sql }: Store,
  since: number,
): Promise<readonly TopicLoss[] | undefined> {
  const text =
    'SELECT topic, seq, count FROM SCHEMA.losses WHERE count > $1::bigint ORDER BY count DESC LIMIT $2';
  const rows = await run(sql(text), [since, MAX_SCANNED + 1]);
  if (rows.length > MAX_SCANNED) return undefined;
  return rows.map(([topic, seq, count]) => ({ topic: topic ?? '', seq: Number(seq), count: Number(count) }));
}
