import { createHash } from 'node:crypto';
import type { Database, RootDatabase } from 'lmdb';
import { beginChecksum, checksumOfData, mixNumber, mixOptional, mixText } from './checksum.ts';
import { type Lineage, type LogEntry, type LogTime, START, TopicWalks } from '../../log/index.ts';

/** Raised when records change in a way that older code could not read. */
export const FORMAT = 6;

/** A stored event: msgpack of a tuple, which is shorter than of an object. */
export type EventRecord = readonly [
  time: number,
  topics: readonly [string, ...string[]],
  type: string | null,
  data: string,
  id: string | null,
  key: string | null,
  isPrivate: boolean,
  isTombstone: boolean,
  headSum: number,
  dataSum: number,
  canonical?: string | null,
  expiresAt?: number | null,
  publishedAt?: number | null,
];

/** The log's own state: one record, written with each transaction. */
export interface LogState {
  head: number;
  /** Of the events that count against the log's bounds. */
  events: number;
  bytes: number;
  time: LogTime;
  /** Retention has looked at everything up to this seq, and left only the newest events of keys there. */
  trimmedTo: number;
  /** The newest seq that retention took. */
  newestLoss: number;
  /** How many events retention has taken. */
  lossCount: number;
  public: LossState;
  private: LossState;
  /** The last topic that was looked at for events too old. */
  sweptTo: string;
  /** How many rows `sizes` and `supersededIds` have: mostly none, and a look at a table takes longer than an append. */
  groups: number;
  supersededIds: number;
  /** No key expires before. */
  nextExpiry: number;
}

/** The state as it is stored: a tuple, since records within records take ten times as long (`publish`). */
type StateRecord = readonly [
  head: number,
  events: number,
  bytes: number,
  lastTime: number,
  timeAhead: number,
  trimmedTo: number,
  newestLoss: number,
  lossCount: number,
  publicLosses: readonly number[],
  privateLosses: readonly number[],
  sweptTo: string,
  groups: number,
  supersededIds: number,
  nextExpiry: number,
];

/** What is known of all lost events of one kind together. */
export interface LossState {
  readonly all: LossRecord;
  /** How many topics have a record of their loss; and the combined loss of the others. */
  readonly records: number;
  readonly forgotten: LossRecord;
}

/** Public events are counted apart from private ones (`LossTally`). */
export type LossKind = 'public' | 'private';
export const LOSS_KINDS: readonly LossKind[] = ['public', 'private'];

export interface LossTables {
  /** Topic → its loss; and [count, topic] → seq, to forget the oldest losses first. */
  readonly byTopic: Database<LossRecord, string>;
  readonly byCount: Database<number, [number, string]>;
}

/** As in `Loss`. */
export type LossRecord = readonly [seq: number, count: number];

export interface GroupSize {
  readonly events: number;
  readonly bytes: number;
}

/** The tables of one log. Keys are ordered as `ordered-binary` does: numbers, strings, arrays member by member. */
export interface Store {
  readonly root: RootDatabase;
  readonly events: Database<EventRecord, number>;
  /** [topic, seq], for each topic of each event. */
  readonly topics: Database<0, [string, number]>;
  /**
   * [topic, key] → seqs, for topics that are states: of the newest event, last, and of older ones that it doesn't stand
   * for everywhere.
   */
  readonly states: Database<readonly number[], [string, string]>;
  /** [topic, seq], for each topic of each value, and for `ANY`. */
  readonly values: Database<0, [string, number]>;
  /** Topic → how many values it has. */
  readonly valueCounts: Database<number, string>;
  /** [time, topic, key] → seq, of values that expire. */
  readonly expiries: Database<number, [number, string, string]>;
  /** Publisher's id → seq. */
  readonly ids: Database<number, string>;
  /** [seq of the newer event, number] → id, of superseded events. */
  readonly supersededIds: Database<string, [number, number]>;
  readonly losses: Readonly<Record<LossKind, LossTables>>;
  /** Group bounded together, mostly a topic → its size; and [group, seq] for each event of it. */
  readonly sizes: Database<GroupSize, string>;
  readonly members: Database<0, [string, number]>;
  readonly meta: Database<unknown, string>;
  /** The readers' walks over the names of two tables. */
  readonly walks: { readonly topics: TopicWalks; readonly values: TopicWalks };
  /** The records that this process couldn't read. */
  readonly damage: Damage;
}

/** Records that the disk has altered count as lost, like those that retention took, for any topic. */
export interface Damage {
  /** The newest seq of them, and how many there are. */
  newest: number;
  readonly seqs: Set<number>;
}

/** Stands for any topic; none has a control character. */
export const ANY = '\u0000';

export function openTables(root: RootDatabase): Store {
  return {
    root,
    events: root.openDB({ name: 'events' }),
    topics: root.openDB({ name: 'topics' }),
    states: root.openDB({ name: 'states' }),
    values: root.openDB({ name: 'values' }),
    valueCounts: root.openDB({ name: 'value-counts' }),
    expiries: root.openDB({ name: 'expiries' }),
    ids: root.openDB({ name: 'ids' }),
    supersededIds: root.openDB({ name: 'superseded-ids' }),
    losses: {
      public: {
        byTopic: root.openDB({ name: 'losses' }),
        byCount: root.openDB({ name: 'loss-order' }),
      },
      private: {
        byTopic: root.openDB({ name: 'private-losses' }),
        byCount: root.openDB({ name: 'private-loss-order' }),
      },
    },
    sizes: root.openDB({ name: 'sizes' }),
    members: root.openDB({ name: 'members' }),
    meta: root.openDB({ name: 'meta' }),
    walks: { topics: new TopicWalks(), values: new TopicWalks() },
    damage: { newest: 0, seqs: new Set() },
  };
}

const NO_LOSSES: LossState = { all: [0, 0], records: 0, forgotten: [0, 0] };
const EMPTY: LogState = {
  head: 0,
  events: 0,
  bytes: 0,
  time: START,
  trimmedTo: 0,
  newestLoss: 0,
  lossCount: 0,
  public: NO_LOSSES,
  private: NO_LOSSES,
  sweptTo: '',
  groups: 0,
  supersededIds: 0,
  nextExpiry: Infinity,
};

/** A copy, which `writeState` puts back. */
export function readState(store: Store): LogState {
  const record = store.meta.get('state') as StateRecord | undefined;
  if (record === undefined) return { ...EMPTY };
  const [head, events, bytes, last, ahead, trimmedTo, newestLoss, lossCount] = record;
  return {
    head,
    events,
    bytes,
    time: { last, ahead },
    trimmedTo,
    newestLoss,
    lossCount,
    public: toLosses(record[8]),
    private: toLosses(record[9]),
    sweptTo: record[10],
    groups: record[11],
    supersededIds: record[12],
    nextExpiry: record[13],
  };
}

function toLosses([
  seq = 0,
  count = 0,
  records = 0,
  forgottenSeq = 0,
  forgottenCount = 0,
]: readonly number[]): LossState {
  return { all: [seq, count], records, forgotten: [forgottenSeq, forgottenCount] };
}

export function lineageOf({ meta }: Store): Lineage {
  return (meta.get('lineage') as Lineage | undefined) ?? [];
}

export function writeState(store: Store, state: LogState): void {
  const { time, public: publicLosses, private: privateLosses } = state;
  const record: StateRecord = [
    state.head,
    state.events,
    state.bytes,
    time.last,
    time.ahead,
    state.trimmedTo,
    state.newestLoss,
    state.lossCount,
    [...publicLosses.all, publicLosses.records, ...publicLosses.forgotten],
    [...privateLosses.all, privateLosses.records, ...privateLosses.forgotten],
    state.sweptTo,
    state.groups,
    state.supersededIds,
    state.nextExpiry,
  ];
  store.meta.putSync('state', record);
}

/** @throws {Error} if the record differs from the written one. */
export function toEntry(seq: number, record: EventRecord): LogEntry {
  const [, , , data, , , , , , dataSum] = record;
  if (dataSum !== checksumOfData(data)) throw damaged(seq);
  return toDoomedEntry(seq, record);
}

/** An entry that is about to be removed: its data is not checked. Throws if anything else is damaged. */
export function toDoomedEntry(seq: number, record: EventRecord): LogEntry {
  const [time, topics, type, data, id, key, isPrivate, isTombstone, headSum] = record;
  const canonical = record[10] ?? undefined;
  const expiresAt = record[11] ?? undefined;
  const publishedAt = record[12] ?? undefined;
  const flags = (isPrivate ? 1 : 0) + (isTombstone ? 2 : 0);
  const sum = withTimes(
    checksumOfHead(seq, time, topics, flags, type, id, key, canonical),
    expiresAt,
    publishedAt,
  );
  if (headSum !== sum) throw damaged(seq);
  return {
    seq,
    time,
    topics,
    ...(canonical !== undefined && { canonical }),
    ...(expiresAt !== undefined && { expiresAt }),
    ...(publishedAt !== undefined && { publishedAt }),
    type: type ?? undefined,
    data,
    id: id ?? undefined,
    key: key ?? undefined,
    tombstone: isTombstone,
    private: isPrivate,
    frame: undefined,
  };
}

function damaged(seq: number): Error {
  return new Error(`The record of event ${seq} is damaged.`);
}

function checksumOfHead(
  seq: number,
  time: number,
  topics: readonly string[],
  flags: number,
  type: string | null,
  id: string | null,
  key: string | null,
  canonical: string | undefined,
): number {
  let sum = mixNumber(mixNumber(beginChecksum(seq), time), flags);
  for (const topic of topics) sum = mixText(sum, topic);
  return mixOptional(mixOptional(mixOptional(mixOptional(sum, type), id), key), canonical) | 0;
}

/** Most events have neither. */
function withTimes(sum: number, expiresAt?: number, publishedAt?: number): number {
  if (expiresAt === undefined && publishedAt === undefined) return sum;
  return mixNumber(mixNumber(sum, expiresAt ?? 0), publishedAt ?? 0) | 0;
}

/** LMDB's keys end at 1,978 bytes; a topic may have 3,072. A longer one is known by its beginning and its hash. */
const MAX_KEY_BYTES = 1000;
export const KEPT_LENGTH = 200;

export function topicKey(topic: string): string {
  // No character takes more than three bytes.
  if (topic.length * 3 <= MAX_KEY_BYTES || Buffer.byteLength(topic) <= MAX_KEY_BYTES) return topic;
  return `${topic.slice(0, KEPT_LENGTH)}\uffff${createHash('sha256').update(topic).digest('base64url')}`;
}

/** Whether `topicKey` shortened it; then it can't show whether a pattern matches. */
export function isShortened(key: string): boolean {
  return key.includes('\uffff');
}

/** @returns undefined for an event that isn't there, or that the disk has altered. */
export function findEntry(store: Store, seq: number): LogEntry | undefined {
  try {
    const record = store.events.get(seq);
    return record === undefined ? undefined : toEntry(seq, record);
  } catch {
    // Other LMDB errors concern all later records too; this one is about a single record.
    noteDamage(store, seq);
    return undefined;
  }
}

/** Events in seq order, or backwards; undefined for those that the disk has altered. */
export function* entriesFrom(
  store: Store,
  range: {
    readonly start: number;
    readonly end?: number;
    readonly limit?: number;
    readonly reverse?: boolean;
  },
  toEntryOf: typeof toEntry = toEntry,
): Generator<readonly [seq: number, entry: LogEntry | undefined]> {
  let { start } = range;
  const step = range.reverse === true ? -1 : 1;
  let given = 0;
  try {
    for (const { key: seq, value } of store.events.getRange(range)) {
      const entry = toEntryOf(seq, value);
      start = seq + step;
      given += 1;
      yield [seq, entry];
    }
  } catch {
    // One by one, which takes longer, but finds out which of them it was.
    const { limit = Infinity } = range;
    const rest = { ...range, start, ...(limit !== Infinity && { limit: limit - given }) };
    for (const seq of store.events.getKeys(rest)) yield [seq, findEntry(store, seq)];
  }
}

function noteDamage({ damage }: Store, seq: number): void {
  damage.newest = Math.max(damage.newest, seq);
  damage.seqs.add(seq);
}

/** Adds an event to the tables. Like all functions below, it runs inside of a write transaction. */
export function putEntry(store: Store, entry: LogEntry): void {
  const { seq, time, topics, type = null, data, id = null, key = null, tombstone, canonical } = entry;
  const { expiresAt, publishedAt } = entry;
  const flags = (entry.private ? 1 : 0) + (tombstone ? 2 : 0);
  const headSum = withTimes(
    checksumOfHead(seq, time, topics, flags, type, id, key, canonical),
    expiresAt,
    publishedAt,
  );
  const dataSum = checksumOfData(data);
  const hasMore = canonical !== undefined || expiresAt !== undefined || publishedAt !== undefined;
  store.events.putSync(
    seq,
    hasMore
      ? [
          ...([time, topics, type, data, id, key, entry.private, tombstone, headSum, dataSum] as const),
          canonical ?? null,
          expiresAt ?? null,
          publishedAt ?? null,
        ]
      : [time, topics, type, data, id, key, entry.private, tombstone, headSum, dataSum],
  );
  for (const topic of topics) store.topics.putSync([topicKey(topic), seq], 0);
}

export function removeEntry(store: Store, { seq, topics }: LogEntry): void {
  store.events.removeSync(seq);
  for (const topic of topics) store.topics.removeSync([topicKey(topic), seq]);
}
