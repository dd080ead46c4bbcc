import {
  type CompiledPattern,
  type LogEntry,
  type LogQuery,
  type Loss,
  type Matcher,
  type MatcherSet,
  type Page,
  literalPrefix,
} from '../../log/index.ts';
import {
  ANY,
  type LogState,
  type LossRecord,
  type Store,
  findEntry,
  isShortened,
  KEPT_LENGTH,
  readState,
  entriesFrom,
  topicKey,
} from './store.ts';

/** [topic, seq], in order. */
type TopicTable = Store['topics'];

/** Topics followed one by one for a pattern; with more of them the log is read through. */
const MAX_TOPICS = 200;
/** The most events to look at for one page, to keep other readers from waiting long. */
const MAX_SCANNED = 5000;

/** `end`: entries beyond it have not been announced yet, so they don't exist for readers. */
export function readPage(store: Store, query: LogQuery, end: number): Page {
  const topics = topicsOf(store.topics, query.matchers);
  return topics === undefined
    ? scanLog(store, query, end)
    : followTopics(store, store.topics, topics, query, end);
}

/** The newest event of each key, in seq order. */
export function readStates(store: Store, query: LogQuery, end: number): Page {
  const topics = topicsOf(store.values, query.matchers) ?? [ANY];
  return followTopics(store, store.values, topics, query, end);
}

/** Costs as much as the page has entries, however long the log is. */
function followTopics(
  store: Store,
  index: TopicTable,
  topics: readonly string[],
  query: LogQuery,
  end: number,
): Page {
  const { after, wants, limit } = query;
  const heads = topics.map((topic) => {
    const keys = index.getKeys({ start: [topic, after + 1], end: [topic, end + 1] })[Symbol.iterator]();
    return { keys, seq: nextSeq(keys) };
  });
  const entries: LogEntry[] = [];
  let length = 0;
  let next = end;
  let looked = 0;
  for (;;) {
    const seq = Math.min(...heads.map((head) => head.seq));
    if (seq === Infinity) break;
    for (const head of heads) if (head.seq === seq) head.seq = nextSeq(head.keys);
    const entry = findEntry(store, seq);
    looked += 1;
    if (entry !== undefined && wants(entry)) {
      entries.push(entry);
      length += entry.data.length;
    }
    if (entries.length < limit.events && length < limit.length && looked < MAX_SCANNED) continue;
    next = seq;
    break;
  }
  for (const { keys } of heads) keys.return?.();
  return { entries, next };
}

function nextSeq(keys: Iterator<[string, number], unknown>): number {
  const next = keys.next();
  return next.done === true ? Infinity : next.value[1];
}

/** Reads the log through. */
export function scanLog(
  store: Store,
  { after, wants, limit }: Pick<LogQuery, 'after' | 'wants' | 'limit'>,
  end: number,
): Page {
  const entries: LogEntry[] = [];
  let length = 0;
  let scanned = 0;
  for (const [seq, entry] of entriesFrom(store, { start: after + 1, end: end + 1 })) {
    scanned += 1;
    if (entry !== undefined && wants(entry)) {
      entries.push(entry);
      length += entry.data.length;
    }
    if (entries.length >= limit.events || length >= limit.length || scanned >= MAX_SCANNED) {
      return { entries, next: seq };
    }
  }
  return { entries, next: end };
}

/** The keys of the topics that are asked for; undefined if there are too many to follow. */
function topicsOf(index: TopicTable, matchers: MatcherSet): readonly string[] | undefined {
  const topics = new Set([...matchers.topics].map(topicKey));
  for (const pattern of matchers.patterns) {
    for (const topic of topicsMatching(index, pattern)) {
      topics.add(topic);
      if (topics.size > MAX_TOPICS) return undefined;
    }
  }
  return [...topics];
}

/** Jumps from topic to topic in the index, among those that begin like the pattern. */
function* topicsMatching(index: TopicTable, compiled: CompiledPattern): Generator<string> {
  // No longer than a shortened topic.
  const prefix = literalPrefix(compiled.pattern).slice(0, KEPT_LENGTH);
  let start: [string, number] = [prefix, 0];
  for (let jumps = 0; jumps <= MAX_SCANNED; jumps += 1) {
    const [found] = Array.from(index.getKeys({ start, limit: 1 }));
    if (found === undefined || !found[0].startsWith(prefix)) return;
    const [topic] = found;
    if (topic !== ANY && (isShortened(topic) || compiled.matches(topic))) yield topic;
    start = [topic, Infinity];
  }
  // So many topics begin like this that one more can't be followed anyway.
  for (let i = 0; i <= MAX_TOPICS; i += 1) yield `\u0000${i}`;
}

export function readLosses(store: Store, after: number, matchers: MatcherSet): readonly Loss[] {
  const state = readState(store);
  const { damage } = store;
  // The topics of a damaged record are unknown.
  const count = state.lossCount + damage.seqs.size;
  if (damage.newest > after)
    return matchers.matchers.map((matcher) => ({ matcher, seq: damage.newest, count }));
  if (state.newestLoss <= after) return [];
  const losses = [...matchers.topics].map((topic) =>
    toLoss(topic, store.losses.get(topicKey(topic)) ?? state.forgotten),
  );
  for (const compiled of matchers.patterns) {
    losses.push(toLoss({ pattern: compiled.pattern }, lossMatching(store, state, after, compiled)));
  }
  return losses.filter(({ seq }) => seq > after);
}

function toLoss(matcher: Matcher, [seq, count]: LossRecord): Loss {
  return { matcher, seq, count };
}

/** From the last loss backwards. With very many topics to look at, one is taken to match. */
function lossMatching(store: Store, state: LogState, after: number, compiled: CompiledPattern): LossRecord {
  let scanned = 0;
  let lastCount = 0;
  for (const { key, value: seq } of store.lossOrder.getRange({ reverse: true })) {
    const [count, topic] = key;
    scanned += 1;
    if (scanned > MAX_SCANNED) return [state.newestLoss, state.lossCount];
    if (!isShortened(topic) && !compiled.matches(topic)) continue;
    lastCount = Math.max(lastCount, count);
    if (seq > after) return [seq, lastCount];
  }
  return state.forgotten;
}

/**
 * Topics that lost something after this seq, among the losses since `count` of them; undefined if there are too many
 * to tell.
 */
export function topicsLost(
  store: Store,
  forgotten: LossRecord,
  after: number,
  count: number,
): readonly string[] | undefined {
  if (forgotten[0] > after) return undefined;
  const topics: string[] = [];
  let scanned = 0;
  for (const { key, value: seq } of store.lossOrder.getRange({ reverse: true })) {
    const [at, topic] = key;
    if (at <= count) break;
    scanned += 1;
    if (scanned > MAX_SCANNED || isShortened(topic)) return undefined;
    if (seq > after) topics.push(topic);
  }
  return topics;
}
