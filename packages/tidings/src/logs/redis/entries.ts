import { createHash } from 'node:crypto';
import type { LogEntry } from '../../log/index.ts';
import { type Stored, leaving, toStored } from './records.ts';
import { type Reply, replyCode } from './replies.ts';
import { ASSERT_WHOLE } from './script.ts';
import { STATE_FIELDS, type Span, type State, type Store, toState } from './store.ts';

/** Entries, and how far the log was searched for them: up to this seq, backwards down to it. Undefined: to the end. */
export interface Searched {
  readonly entries: readonly LogEntry[];
  readonly until: number | undefined;
}

/** About the first `count` entries of the span, in its direction. */
export async function readRange(store: Store, span: Span, count: number): Promise<Searched> {
  const { low, high, isBack } = span;
  if (low >= high) return { entries: [], until: undefined };
  const { connection, key } = store;
  const log = key('log');
  const most = countOf(store, count);
  // Sent at once: clients put the commands of one turn into one write. The pack in which the span ends has a greater seq.
  const [page, beyond, trimmedTo] = await Promise.all([
    isBack
      ? connection.send(['XREVRANGE', log, `(${high}-0`, `(${low}-0`, 'COUNT', most])
      : connection.send(['XRANGE', log, `(${low}-0`, '+', 'COUNT', most]),
    isBack ? connection.send(['XRANGE', log, `${high}-0`, '+', 'COUNT', '1']) : [],
    connection.send(['HGET', key('meta'), 'trimmedTo']),
  ]);
  const replies = [...(beyond as readonly Reply[]), ...(page as readonly Reply[])];
  const isAll = (page as readonly Reply[]).length < Number(most);
  const searched = search(store, replies, { span, count, isAll, trimmedTo: Number(trimmedTo ?? 0) });
  return { ...searched, entries: await current(store, searched.entries) };
}

/** The number of entries that have about so many events. */
function countOf({ perEntry }: Store, events: number): string {
  return String(Math.max(4, Math.ceil(events / perEntry)));
}

interface Search {
  readonly span: Span;
  readonly count: number;
  /** Whether the replies are all that the span has. */
  readonly isAll: boolean;
  readonly trimmedTo: number;
}

/** The events of the replies that are in the span, until there are enough. */
function search(
  store: Store,
  replies: readonly Reply[],
  { span, count, isAll, trimmedTo }: Search,
): Searched {
  const { low, high, isBack } = span;
  const entries: LogEntry[] = [];
  let looked = 0;
  let until: number | undefined;
  for (const reply of replies) {
    const { first, last, isPack, entries: own } = toStored(reply);
    looked += 1;
    const found = own.filter(({ seq }) => seq > low && seq <= high && (!isPack || seq > trimmedTo));
    entries.push(...(isBack ? found.toReversed() : found));
    const isEnd = isBack ? first <= low + 1 : last >= high;
    until = isEnd ? undefined : clamp(isBack ? first : last, span);
    if (isEnd || entries.length >= count) break;
  }
  if (looked > 0) store.perEntry = Math.max(1, entries.length / looked);
  // In the middle of a pack.
  if (entries.length > count) return { entries: entries.slice(0, count), until: entries[count - 1]?.seq };
  return { entries, until: looked === replies.length && isAll ? undefined : until };
}

/** The first entry read backwards may be beyond the span. */
function clamp(seq: number, { high }: Span): number {
  return Math.min(seq, high + 1);
}

/** The page after a cursor, and the state that the log had then. */
export interface PageAndState extends Searched {
  readonly state: State;
}

/** Reads both at one moment, in one step. Redis lets scripts with this flag read while its memory is used up. */
const READ = `#!lua flags=no-writes
local p = ARGV[1]
${ASSERT_WHOLE}
local state = redis.call('HMGET', p .. 'meta', unpack(ARGV, 4))
return { state, redis.call('XRANGE', p .. 'log', '(' .. ARGV[2] .. '-0', '+', 'COUNT', ARGV[3]) }
`;
const READ_HASH = createHash('sha1').update(READ).digest('hex');

/** Undefined if there is no log. */
export async function readWithState(
  store: Store,
  after: number,
  count: number,
): Promise<PageAndState | undefined> {
  const { connection, key, prefix } = store;
  const most = countOf(store, count);
  const rest = ['1', key('log'), prefix, String(after), most, ...STATE_FIELDS];
  const reply = await connection.send(['EVALSHA', READ_HASH, ...rest]).catch((error: unknown) => {
    if (replyCode(error) !== 'NOSCRIPT') throw error;
    return connection.send(['EVAL', READ, ...rest]);
  });
  const [fields, page] = reply as readonly [Reply, readonly Reply[]];
  const state = toState(store, fields);
  if (state === undefined) return undefined;
  const span = { low: after, high: state.head, isBack: false };
  const isAll = page.length < Number(most);
  const searched = search(store, page, { span, count, isAll, trimmedTo: state.trimmedTo });
  return { ...searched, entries: await current(store, searched.entries), state };
}

/** The entries of the stream with these ids that are still there, in this order. */
export async function readStored(store: Store, ids: readonly number[]): Promise<readonly Stored[]> {
  const { connection, key } = store;
  const [trimmed, ...replies] = await Promise.all([
    connection.send(['HGET', key('meta'), 'trimmedTo']),
    ...ids.map((id) => connection.send(['XRANGE', key('log'), `${id}-0`, `${id}-0`])),
  ]);
  const trimmedTo = Number(trimmed ?? 0);
  const found = (replies as readonly (readonly Reply[])[]).flat().map(toStored);
  const singles = await current(
    store,
    found.flatMap(({ isPack, entries }) => (isPack ? [] : entries)),
  );
  const bySeq = new Map(singles.map((entry) => [entry.seq, entry]));
  return found.map((each) => {
    const entries = each.isPack
      ? each.entries.filter(({ seq }) => seq > trimmedTo)
      : each.entries.map((entry) => bySeq.get(entry.seq) ?? entry);
    return { ...each, entries };
  });
}

/** The events among these that are in the log, in this order; none of a pack. */
export async function readEntries(store: Store, seqs: readonly number[]): Promise<LogEntry[]> {
  return (await readStored(store, seqs)).flatMap(({ entries }) => entries);
}

/** With the topics that newer values have left them. */
async function current(
  { hasLeft, connection, key }: Store,
  entries: readonly LogEntry[],
): Promise<readonly LogEntry[]> {
  const kept = hasLeft ? entries.filter((entry) => entry.key !== undefined) : [];
  if (kept.length === 0) return entries;
  const seqs = kept.map(({ seq }) => String(seq));
  const left = (await connection.send(['HMGET', key('left'), ...seqs])) as readonly (string | null)[];
  const topics = new Map(kept.map(({ seq }, i) => [seq, left[i]]));
  return entries.map((entry) => {
    const own = topics.get(entry.seq);
    return typeof own === 'string' ? leaving(entry, own) : entry;
  });
}
