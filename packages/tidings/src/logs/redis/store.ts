import {
  type Lineage,
  type LogEntry,
  type LossTally,
  type SourceState,
  TopicWalks,
} from '../../log/index.ts';
import type { Connection } from './connection.ts';
import { leaving, toEntry } from './records.ts';
import type { Reply } from './replies.ts';

/** Raised when keys change in a way that older code could not read. */
export const FORMAT = 4;

/** Public events are counted apart from private ones (`LossTally`). */
export type LossKind = 'public' | 'private';

/** The log's state after a transaction: its head, and how much retention has taken. */
export interface State extends SourceState {
  /** The oldest cursor anything can be read after. */
  readonly floor: number;
  /** When the next key expires, milliseconds since 1970; Infinity if none does. */
  readonly nextExpiry: number;
  readonly losses: Readonly<Record<LossKind, LossTally>>;
}

/** The commands that read a log. */
export interface Store {
  /** Whether newer values have taken topics from events that are still in the log, as far as is known. */
  hasLeft: boolean;
  /** The readers' walks over the names of two indexes. */
  walks: { readonly topics: TopicWalks; readonly stopics: TopicWalks };
  readonly prefix: string;
  readonly connection: Connection;
  readonly key: (name: string) => string;
}

export function createStore(connection: Connection, prefix: string): Store {
  return {
    hasLeft: true,
    walks: newWalks(),
    prefix,
    connection,
    key: (name) => prefix + name,
  };
}

/** In another epoch a topic may come into an index with a seq that a walk has passed. */
export function newWalks(): Store['walks'] {
  return { topics: new TopicWalks(), stopics: new TopicWalks() };
}

const STATE = ['epoch', 'lineage', 'head', 'floor', 'newestLoss', 'lossCount', 'left', 'nextExpiry'];
const TALLY = ['Loss', 'Count', 'ForgottenSeq', 'ForgottenCount'];
const FIELDS = [...STATE, ...['public', 'private'].flatMap((kind) => TALLY.map((name) => kind + name))];

/** Undefined if there is no log yet. */
export async function readState(store: Store): Promise<State | undefined> {
  const { connection, key } = store;
  const reply = await connection.send(['HMGET', key('meta'), ...FIELDS]);
  const [epoch, lineage, head, floor, newestLoss, lossCount, left, expiry, ...tallies] = reply as readonly (
    | string
    | null
  )[];
  if (typeof epoch !== 'string') return undefined;
  store.hasLeft = Number(left ?? 0) > 0;
  return {
    epoch,
    lineage: typeof lineage === 'string' ? (JSON.parse(lineage) as Lineage) : [],
    head: Number(head ?? 0),
    floor: Number(floor ?? 0),
    newestLoss: Number(newestLoss ?? 0),
    lossCount: Number(lossCount ?? 0),
    nextExpiry: toExpiry(expiry),
    losses: { public: toTally(tallies), private: toTally(tallies.slice(TALLY.length)) },
  };
}

function toTally(fields: readonly (string | null)[]): LossTally {
  const [seq = 0, count = 0, forgottenSeq = 0, forgottenCount = 0] = fields.map(Number);
  return { all: { seq, count }, forgotten: { seq: forgottenSeq, count: forgottenCount } };
}

export function toExpiry(text: string | null | undefined): number {
  return typeof text === 'string' && text !== '' ? Number(text) : Infinity;
}

/** The seqs to read, and in which direction. */
export interface Span {
  /** Exclusive. */
  readonly low: number;
  /** Inclusive. */
  readonly high: number;
  readonly isBack: boolean;
}

/** The first entries of the span, in its direction. */
export async function readRange(
  store: Store,
  { low, high, isBack }: Span,
  count: number,
): Promise<LogEntry[]> {
  if (low >= high) return [];
  const log = store.key('log');
  const [start, end] = [`(${low}-0`, `${high}-0`];
  const range = isBack ? ['XREVRANGE', log, end, start] : ['XRANGE', log, start, end];
  range.push('COUNT', String(count));
  return toEntries(store, (await store.connection.send(range)) as readonly Reply[]);
}

/** The events among these that are in the log, in this order. */
export async function readEntries(store: Store, seqs: readonly number[]): Promise<LogEntry[]> {
  const { connection, key } = store;
  // Sent at once: clients put the commands of one turn into one write.
  const replies = await Promise.all(
    seqs.map((seq) => connection.send(['XRANGE', key('log'), `${seq}-0`, `${seq}-0`])),
  );
  return toEntries(store, replies.flat());
}

async function toEntries(
  { hasLeft, connection, key }: Store,
  replies: readonly Reply[],
): Promise<LogEntry[]> {
  const entries = replies.map(toEntry);
  if (!hasLeft || entries.length === 0) return entries;
  const seqs = entries.map(({ seq }) => String(seq));
  const left = (await connection.send(['HMGET', key('left'), ...seqs])) as readonly (string | null)[];
  return entries.map((entry, i) => {
    const topics = left[i];
    return typeof topics === 'string' ? leaving(entry, topics) : entry;
  });
}

/** The first members of a sorted set of seqs within the span, in its direction. */
export async function readSeqs(
  { connection, key }: Store,
  name: string,
  { low, high, isBack }: Span,
  count: number,
): Promise<number[]> {
  const [start, end] = [`(${low}`, String(high)];
  const range = isBack
    ? ['ZREVRANGEBYSCORE', key(name), end, start]
    : ['ZRANGEBYSCORE', key(name), start, end];
  range.push('LIMIT', '0', String(count));
  return ((await connection.send(range)) as readonly string[]).map(Number);
}

/** Names of an index that begin like this, after `start`, in order. */
export async function readNames(
  { connection, key }: Store,
  name: string,
  prefix: string,
  start: string | undefined,
  count: number,
): Promise<string[]> {
  const from = start === undefined ? `[${prefix}` : `(${start}`;
  // No UTF-8 text has a byte of this value, so everything that begins with the prefix comes before it.
  const range = ['ZRANGEBYLEX', key(name), from, '+', 'LIMIT', '0', String(count)];
  const names = (await connection.send(range)) as readonly string[];
  const end = names.findIndex((each) => !each.startsWith(prefix));
  return end === -1 ? [...names] : names.slice(0, end);
}
