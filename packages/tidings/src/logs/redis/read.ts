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
import type { Reply } from './connection.ts';
import { type State, type Store, readEntries, readNames, readRange, readSeqs } from './store.ts';

/** Topics followed one by one; with more of them the log is read through. */
const MAX_TOPICS = 200;
/** The most names to compare with a pattern, and events to look at for a page, to block neither Redis nor this process. */
const MAX_NAMES = 5000;
const MAX_SCANNED = 5000;
const STEP = 1000;

/** `end`: entries beyond it have not been announced yet, and don't exist for readers. */
export async function readPage(store: Store, query: LogQuery, end: number): Promise<Page> {
  if (query.after >= end) return { entries: [], next: end };
  const topics = await topicsOf(store, 'topics', query.matchers);
  const sets = topics?.map((topic) => `t:${topic}`);
  return sets === undefined ? scanLog(store, query, end) : followSets(store, sets, query, end);
}

/** The newest event of each key, in seq order. */
export async function readValues(store: Store, query: LogQuery, end: number): Promise<Page> {
  if (query.after >= end) return { entries: [], next: end };
  const topics = await topicsOf(store, 'stopics', query.matchers);
  const sets = topics === undefined ? ['values'] : topics.map((topic) => `s:${topic}`);
  const wants = (entry: LogEntry): boolean => !entry.tombstone && query.wants(entry);
  return followSets(store, sets, { ...query, wants }, end);
}

/** Costs as much as the page has entries, however long the log is. */
async function followSets(
  store: Store,
  sets: readonly string[],
  query: LogQuery,
  end: number,
): Promise<Page> {
  const { after, wants, limit } = query;
  const count = Math.min(STEP, limit.events + 1);
  const found = await Promise.all(sets.map((set) => readSeqs(store, set, after, end, count)));
  // If a set has more than this, entries after its last are unknown.
  const known = Math.min(end, ...found.map((seqs) => (seqs.length < count ? end : (seqs.at(-1) ?? end))));
  const seqs = [...new Set(found.flat())]
    .filter((seq) => seq <= known)
    .sort((a, b) => a - b)
    .slice(0, count);
  const looked = seqs.length === count ? (seqs.at(-1) ?? known) : known;
  const entries = await readEntries(store, seqs);
  return toPage(entries.filter(wants), limit, looked);
}

async function scanLog(store: Store, { after, wants, limit }: LogQuery, end: number): Promise<Page> {
  const found: LogEntry[] = [];
  let next = after;
  for (let scanned = 0; scanned < MAX_SCANNED && next < end; scanned += STEP) {
    const entries = await readRange(store, next, end, STEP);
    next = entries.length < STEP ? end : (entries.at(-1)?.seq ?? end);
    found.push(...entries.filter(wants));
    const page = toPage(found, limit, next);
    if (page.next < next || page.entries.length >= limit.events) return page;
  }
  return toPage(found, limit, next);
}

/** The topics that are asked for; undefined if there are too many to follow. */
async function topicsOf(
  store: Store,
  index: string,
  matchers: MatcherSet,
): Promise<readonly string[] | undefined> {
  const topics = new Set(matchers.topics);
  for (const pattern of matchers.patterns) {
    const found = await topicsMatching(store, index, pattern, MAX_TOPICS - topics.size);
    if (found === undefined) return undefined;
    for (const topic of found) topics.add(topic);
  }
  return topics.size > MAX_TOPICS ? undefined : [...topics];
}

async function topicsMatching(
  store: Store,
  index: string,
  compiled: CompiledPattern,
  most: number,
): Promise<readonly string[] | undefined> {
  const prefix = literalPrefix(compiled.pattern);
  const found: string[] = [];
  let start: string | undefined;
  for (let looked = 0; looked < MAX_NAMES; looked += STEP) {
    const names = await readNames(store, index, prefix, start, STEP);
    found.push(...names.filter((name) => compiled.matches(name)));
    if (found.length > most) return undefined;
    if (names.length < STEP) return found;
    start = names.at(-1);
  }
  return undefined;
}

export async function readLosses(
  store: Store,
  state: State,
  after: number,
  matchers: MatcherSet,
): Promise<readonly Loss[]> {
  if (state.newestLoss <= after) return [];
  const topics = [...matchers.topics];
  const losses: Loss[] = await Promise.all(
    topics.map(async (topic) => ({ matcher: topic, ...((await lossOf(store, topic)) ?? state.forgotten) })),
  );
  if (matchers.patterns.length > 0) {
    const lost = await topicsLost(store, 0);
    for (const compiled of matchers.patterns) {
      const loss = lossMatching(state, lost, after, compiled);
      losses.push({ matcher: { pattern: compiled.pattern }, ...loss });
    }
  }
  return losses.filter(({ seq }) => seq > after);
}

interface TopicLoss {
  readonly topic: string;
  readonly seq: number;
  readonly count: number;
}

type LossPlace = Omit<TopicLoss, 'topic'>;

async function lossOf({ connection, key }: Store, topic: string): Promise<LossPlace | undefined> {
  const [seq, count] = await Promise.all([
    connection.send(['HGET', key('lost'), topic]),
    connection.send(['ZSCORE', key('losses'), topic]),
  ]);
  return seq === null || count === null ? undefined : { seq: Number(seq), count: Number(count) };
}

/** From the last loss backwards. With very many topics to look at, one is taken to match. */
function lossMatching(
  state: State,
  lost: readonly TopicLoss[] | undefined,
  after: number,
  compiled: CompiledPattern,
): LossPlace {
  if (lost === undefined) return { seq: state.newestLoss, count: state.lossCount };
  const matching = lost.filter(({ topic }) => compiled.matches(topic));
  const found = matching.find(({ seq }) => seq > after);
  if (found === undefined) return state.forgotten;
  return { seq: found.seq, count: matching[0]?.count ?? found.count };
}

/** Topics that lost something since so many losses had been counted, the last first; undefined if there are too many. */
export async function topicsLost(
  { connection, key }: Store,
  since: number,
): Promise<readonly TopicLoss[] | undefined> {
  const range = [
    'ZREVRANGEBYSCORE',
    key('losses'),
    '+inf',
    `(${since}`,
    'WITHSCORES',
    'LIMIT',
    '0',
    String(MAX_SCANNED + 1),
  ];
  // The third version of the protocol puts each pair into a list of its own.
  const pairs = ((await connection.send(range)) as readonly Reply[]).flat() as readonly string[];
  if (pairs.length === 0) return [];
  const topics = pairs.filter((_, i) => i % 2 === 0);
  if (topics.length > MAX_SCANNED) return undefined;
  const seqs = (await connection.send(['HMGET', key('lost'), ...topics])) as readonly (string | null)[];
  return topics.map((topic, i) => ({ topic, seq: Number(seqs[i] ?? 0), count: Number(pairs[2 * i + 1]) }));
}
