import { type Lineage, type LossTally, type SourceState, TopicWalks } from '../../log/index.ts';
import type { Connection } from './connection.ts';
import type { Reply } from './replies.ts';

/** Raised when keys change in a way that older code could not read. */
export const FORMAT = 6;

/** Public events are counted apart from private ones (`LossTally`). */
export type LossKind = 'public' | 'private';

/** The log's state after a transaction: its head, and how much retention has taken. */
export interface State extends SourceState {
  /** The oldest cursor anything can be read after. */
  readonly floor: number;
  /** When the next key expires, milliseconds since 1970; Infinity if none does. */
  readonly nextExpiry: number;
  /** Retention has passed this seq: nothing but values is left up to there, also of a pack. */
  readonly trimmedTo: number;
  readonly losses: Readonly<Record<LossKind, LossTally>>;
}

/** The commands that read a log. */
export interface Store {
  /** Whether newer values have taken topics from events that are still in the log, as far as is known. */
  hasLeft: boolean;
  /** How many events the entries had that were read last: about as many have the next ones. */
  perEntry: number;
  /** The readers' walks over the names of two indexes. */
  walks: { readonly topics: TopicWalks; readonly stopics: TopicWalks };
  readonly prefix: string;
  readonly connection: Connection;
  readonly key: (name: string) => string;
}

export function createStore(connection: Connection, prefix: string): Store {
  return {
    hasLeft: true,
    perEntry: 8,
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

const STATE = [
  'epoch',
  'lineage',
  'head',
  'floor',
  'newestLoss',
  'lossCount',
  'left',
  'nextExpiry',
  'trimmedTo',
];
const TALLY = ['Loss', 'Count', 'ForgottenSeq', 'ForgottenCount'];
export const STATE_FIELDS: readonly string[] = [
  ...STATE,
  ...['public', 'private'].flatMap((kind) => TALLY.map((name) => kind + name)),
];

/** Undefined if there is no log yet. */
export async function readState(store: Store): Promise<State | undefined> {
  const { connection, key } = store;
  return toState(store, await connection.send(['HMGET', key('meta'), ...STATE_FIELDS]));
}

/** The log's state from the values of these fields of its key `meta`; undefined if there is no log. */
export function toState(store: Store, reply: Reply): State | undefined {
  const [epoch, lineage, head, floor, newestLoss, lossCount, left, expiry, trimmedTo, ...tallies] =
    reply as readonly (string | null)[];
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
    trimmedTo: Number(trimmedTo ?? 0),
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

/** Seqs of a sorted set. */
export interface Seqs {
  readonly seqs: readonly number[];
  /** Whether these are all that it has in the span. */
  readonly isAll: boolean;
  /** The next one above the span: it may be of a pack in which the span ends. */
  readonly beyond: number | undefined;
}

/** The first members of a sorted set of seqs within the span, in its direction. */
export async function readSeqs(
  { connection, key }: Store,
  name: string,
  { low, high, isBack }: Span,
  count: number,
): Promise<Seqs> {
  const send = async (command: string, from: string, to: string, most: number): Promise<number[]> => {
    const reply = await connection.send([command, key(name), from, to, 'LIMIT', '0', String(most)]);
    return (reply as readonly string[]).map(Number);
  };
  if (!isBack) {
    const found = await send('ZRANGEBYSCORE', `(${low}`, '+inf', count);
    const seqs = found.filter((seq) => seq <= high);
    const beyond = found[seqs.length];
    return { seqs, isAll: beyond !== undefined || found.length < count, beyond };
  }
  const [seqs, [beyond]] = await Promise.all([
    send('ZREVRANGEBYSCORE', String(high), `(${low}`, count),
    send('ZRANGEBYSCORE', `(${high}`, '+inf', 1),
  ]);
  return { seqs, isAll: seqs.length < count, beyond };
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
