import { createHash } from 'node:crypto';
import type { Database, RootDatabase } from 'lmdb';
import { type Lineage, type LogEntry, TopicWalks } from '../../log/index.ts';
import type { LossKind, LossRecord } from './log-state.ts';
import { type EventRecord, toEntry, toRecord } from './record.ts';

/** Raised when records change in a way that older code could not read. */
export const FORMAT = 6;

export interface LossTables {
  /** Topic → its loss; and [count, topic] → seq, to forget the oldest losses first. */
  readonly byTopic: Database<LossRecord, string>;
  readonly byCount: Database<number, [number, string]>;
}

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

export function lineageOf({ meta }: Store): Lineage {
  return (meta.get('lineage') as Lineage | undefined) ?? [];
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
  store.events.putSync(entry.seq, toRecord(entry));
  for (const topic of entry.topics) store.topics.putSync([topicKey(topic), entry.seq], 0);
}

export function removeEntry(store: Store, { seq, topics }: LogEntry): void {
  store.events.removeSync(seq);
  for (const topic of topics) store.topics.removeSync([topicKey(topic), seq]);
}
