import { createHash } from 'node:crypto';
import type { Database, RootDatabase } from 'lmdb';
import { type LogEntry, type LogTime, START } from '../../log/index.ts';

/** Raised when records change in a way that older code could not read. */
export const FORMAT = 2;

/** An event as it is stored: msgpack of a tuple, shorter than one of an object. */
export type EventRecord = readonly [
  time: number,
  topics: readonly [string, ...string[]],
  type: string | null,
  data: string,
  id: string | null,
  key: string | null,
  isPrivate: boolean,
  isTombstone: boolean,
  canonical?: string,
];

/** What the log knows of itself as a whole; one record, written with each transaction. */
export interface LogState {
  head: number;
  /** Of what counts against the log's bounds. */
  events: number;
  bytes: number;
  time: LogTime;
  /** Retention has looked at everything up to this seq, and left only the newest events of keys there. */
  trimmedTo: number;
  /** The newest seq that retention took. */
  newestLoss: number;
  /** How many events retention has taken. */
  lossCount: number;
  /** How many topics have a record of what they lost; and what the others add up to. */
  lossRecords: number;
  forgotten: LossRecord;
  /** The last topic that was looked at for events too old. */
  sweptTo: string;
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
  /** [topic, seq], for each topic of each of those that is a value, and for `ANY`. */
  readonly values: Database<0, [string, number]>;
  /** Topic → how many values it has. */
  readonly valueCounts: Database<number, string>;
  /** Publisher's id → seq. */
  readonly ids: Database<number, string>;
  /** [seq of the newer event, number] → id, of superseded events. */
  readonly supersededIds: Database<string, [number, number]>;
  /** Topic → what it lost; and [count, topic] → seq, to forget what was lost longest ago first. */
  readonly losses: Database<LossRecord, string>;
  readonly lossOrder: Database<number, [number, string]>;
  /** What is bounded together, mostly a topic → what it holds; and [group, seq] for each event of it. */
  readonly sizes: Database<GroupSize, string>;
  readonly members: Database<0, [string, number]>;
  readonly meta: Database<unknown, string>;
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
    ids: root.openDB({ name: 'ids' }),
    supersededIds: root.openDB({ name: 'superseded-ids' }),
    losses: root.openDB({ name: 'losses' }),
    lossOrder: root.openDB({ name: 'loss-order' }),
    sizes: root.openDB({ name: 'sizes' }),
    members: root.openDB({ name: 'members' }),
    meta: root.openDB({ name: 'meta' }),
  };
}

const EMPTY: LogState = {
  head: 0,
  events: 0,
  bytes: 0,
  time: START,
  trimmedTo: 0,
  newestLoss: 0,
  lossCount: 0,
  lossRecords: 0,
  forgotten: [0, 0],
  sweptTo: '',
};

/** A copy, which `writeState` puts back. */
export function readState(store: Store): LogState {
  return { ...EMPTY, ...(store.meta.get('state') as LogState | undefined) };
}

export function writeState(store: Store, state: LogState): void {
  store.meta.putSync('state', state);
}

export function toEntry(seq: number, record: EventRecord): LogEntry {
  const [time, topics, type, data, id, key, isPrivate, isTombstone, canonical] = record;
  return {
    seq,
    time,
    topics,
    ...(canonical !== undefined && { canonical }),
    type: type ?? undefined,
    data,
    id: id ?? undefined,
    key: key ?? undefined,
    tombstone: isTombstone,
    private: isPrivate,
    frame: undefined,
  };
}

/** LMDB's keys end at 1,978 bytes; a topic may have 3,072. A longer one is known by its beginning and its hash. */
const MAX_KEY_BYTES = 1000;
export const KEPT_LENGTH = 200;

export function topicKey(topic: string): string {
  // No character takes more than three bytes.
  if (topic.length * 3 <= MAX_KEY_BYTES || Buffer.byteLength(topic) <= MAX_KEY_BYTES) return topic;
  return `${topic.slice(0, KEPT_LENGTH)}\uffff${createHash('sha256').update(topic).digest('base64url')}`;
}

/** Whether `topicKey` shortened it, so that it can't be told from it whether a pattern matches. */
export function isShortened(key: string): boolean {
  return key.includes('\uffff');
}

export function findEntry(store: Store, seq: number): LogEntry | undefined {
  const record = store.events.get(seq);
  return record === undefined ? undefined : toEntry(seq, record);
}

/** An event's place in the tables. All of these run inside of a write transaction. */
export function putEntry(store: Store, entry: LogEntry): void {
  const { seq, time, topics, type = null, data, id = null, key = null, tombstone, canonical } = entry;
  const fields = [time, topics, type, data, id, key, entry.private, tombstone] as const;
  store.events.putSync(seq, canonical === undefined ? fields : [...fields, canonical]);
  for (const topic of topics) store.topics.putSync([topicKey(topic), seq], 0);
}

export function removeEntry(store: Store, { seq, topics }: LogEntry): void {
  store.events.removeSync(seq);
  for (const topic of topics) store.topics.removeSync([topicKey(topic), seq]);
}
