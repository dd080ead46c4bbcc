import {
  type Lineage,
  type LogEntry,
  type LossTally,
  type SourceState,
  TopicWalks,
  createLogError,
} from '../../log/index.ts';
import type { Database, Row, Run } from './database.ts';
import { inSchema } from './migrations.ts';
import { BACKWARDS, EVENT, FORWARDS, STATE, fittingRows } from './queries.ts';
import { COLUMNS, toEntry } from './records.ts';

/** The log's state: its head, and how much retention has taken. */
export interface State extends SourceState {
  /** The oldest cursor anything can be read after. */
  readonly floor: number;
  /** When the next key expires, milliseconds since 1970; Infinity if none does. */
  readonly nextExpiry: number;
  /** Of public events, and of private ones. */
  readonly losses: readonly [LossTally, LossTally];
}

export interface Store {
  readonly database: Database;
  readonly run: Run;
  /** The statement with the schema's name. */
  readonly sql: (text: string) => string;
  /** The readers' walks over the names of topics. */
  walks: Walks;
}

export interface Walks {
  readonly events: TopicWalks;
  readonly values: TopicWalks;
}

/** In another epoch a topic may come into an index with a seq that a walk has passed. */
export function newWalks(): Walks {
  return { events: new TopicWalks(), values: new TopicWalks() };
}

export function createStore(database: Database, name: string): Store {
  const texts = new Map<string, string>();
  const sql = (text: string): string => {
    const known = texts.get(text) ?? inSchema(name, text);
    texts.set(text, known);
    return known;
  };
  return { database, run: database.run, sql, walks: newWalks() };
}

type Tally = readonly [number, number, number, number];
type StateTuple = readonly [
  string,
  Lineage,
  number,
  number,
  number,
  number,
  number | null,
  ...Tally,
  ...Tally,
];

export async function readState({ run, sql }: Pick<Store, 'run' | 'sql'>): Promise<State> {
  const [[text] = []] = await run(sql(`SELECT ${STATE} FROM SCHEMA.head`));
  return toState(text);
}

/** @throws {TidingsError} `log/unavailable` if somebody has deleted the log. */
function toState(text: string | null | undefined): State {
  if (text === null || text === undefined)
    throw createLogError('log/unavailable', 'The log was deleted from PostgreSQL while it was open.');
  const [epoch, lineage, head, floor, newestLoss, lossCount, expiry, ...tallies] = JSON.parse(
    text,
  ) as StateTuple;
  return {
    epoch,
    lineage,
    head,
    floor,
    newestLoss,
    lossCount,
    losses: [toTally(tallies.slice(0, 4)), toTally(tallies.slice(4))],
    nextExpiry: expiry ?? Infinity,
  };
}

function toTally([seq = 0, count = 0, forgottenSeq = 0, forgottenCount = 0]: readonly number[]): LossTally {
  return { all: { seq, count }, forgotten: { seq: forgottenSeq, count: forgottenCount } };
}

/** No more rows than these, and no more characters of data than these, but at least one row. */
export interface RowLimit {
  readonly rows: number;
  readonly length: number;
}

export interface Rows {
  readonly entries: readonly LogEntry[];
  /** Every entry up to this seq was found; backwards, from this seq on. */
  readonly next: number;
}

const SIZE = 11;

function toRows(rows: readonly Row[], limit: RowLimit, end: number): Rows {
  const entries = rows.map(toEntry);
  const isCut = rows.length >= limit.rows || Number(rows.at(-1)?.[SIZE] ?? 0) >= limit.length;
  return { entries, next: isCut ? (entries.at(-1)?.seq ?? end) : end };
}

/** Entries after the cursor, and the state at that moment. */
export async function readWithState(
  { run, sql }: Store,
  after: number,
  limit: RowLimit,
): Promise<Rows & { readonly state: State }> {
  const rows = await run(sql('SELECT * FROM SCHEMA.read_on($1, $2, $3)'), [after, limit.rows, limit.length]);
  const state = toState(rows.find(([seq]) => seq === null)?.[2]);
  const events = rows.filter(([seq]) => seq !== null);
  return { ...toRows(events, limit, state.head), state };
}

/** The seqs to read, and in which direction. */
export interface Span {
  /** Exclusive. */
  readonly low: number;
  /** Inclusive. */
  readonly high: number;
  readonly isBack: boolean;
  /** Of all events, or of values alone. */
  readonly isValue: boolean;
}

/** The first entries of the span, in its direction. */
export async function readRange({ run, sql }: Store, span: Span, limit: RowLimit): Promise<Rows> {
  const { low, high, isBack, isValue } = span;
  const only = isValue ? 'value AND' : '';
  const found = `SELECT ${EVENT} FROM SCHEMA.events WHERE ${only} seq > $1::bigint AND seq <= $2::bigint`;
  const text = fittingRows(found, isBack ? BACKWARDS : FORWARDS, '$3', '$4');
  const rows = await run(sql(text), [low, high, limit.rows, limit.length]);
  return toRows(rows, limit, isBack ? low + 1 : high);
}

/** The same of these topics, by their names in the index. */
export async function readTopics(
  { run, sql }: Store,
  topics: readonly string[],
  { low, high, isBack, isValue }: Span,
  limit: RowLimit,
): Promise<Rows> {
  const order = isBack ? BACKWARDS : FORWARDS;
  const only = isValue ? 'AND value' : '';
  const seqsIn = (table: string): string =>
    `(SELECT seq FROM SCHEMA.${table} WHERE topic = t.topic AND seq > $2::bigint AND seq <= $3::bigint ${only}
      ${order} LIMIT $4)`;
  const seqs = `SELECT DISTINCT x.seq FROM unnest($1::text[]) AS t(topic),
    LATERAL (${seqsIn('events')} UNION ALL ${seqsIn('more')}) AS x ${order} LIMIT $4`;
  // OFFSET keeps it from becoming a join.
  const found = `SELECT each.* FROM (${seqs}) AS s, LATERAL
    (SELECT ${EVENT} FROM SCHEMA.events WHERE seq = s.seq OFFSET 0) AS each`;
  const values = [topics, low, high, limit.rows, limit.length];
  return toRows(
    await run(sql(fittingRows(found, order, '$4', '$5')), values),
    limit,
    isBack ? low + 1 : high,
  );
}

/** The events among these that are in the log. */
export async function readEntries({ run, sql }: Store, seqs: readonly number[]): Promise<LogEntry[]> {
  const rows = await run(sql(`SELECT ${COLUMNS} FROM SCHEMA.events e WHERE e.seq = ANY ($1::bigint[])`), [
    seqs,
  ]);
  return rows.map(toEntry);
}

/** Names of topics in the index that begin like this, after `start`, in order: a step per name, not per event. */
export async function readTopicNames(
  { run, sql }: Store,
  range: { readonly prefix: string; readonly start: string | undefined; readonly isValue: boolean },
  count: number,
): Promise<string[]> {
  const { prefix, start, isValue } = range;
  const only = isValue ? 'AND value' : '';
  const next = (after: string): string =>
    `(SELECT min(topic) FROM (
      (SELECT topic FROM SCHEMA.events WHERE topic ${after} ${only} ORDER BY topic LIMIT 1)
      UNION ALL (SELECT topic FROM SCHEMA.more WHERE topic ${after} ${only} ORDER BY topic LIMIT 1)) AS x)`;
  const text = `WITH RECURSIVE names AS (
      SELECT ${next(start === undefined ? '>= $1' : '> $1')} AS topic, 1 AS n
      UNION ALL SELECT ${next('> names.topic')}, n + 1 FROM names
      WHERE names.topic IS NOT NULL AND starts_with(names.topic, $2) AND n < $3
    ) SELECT topic FROM names WHERE topic IS NOT NULL AND starts_with(topic, $2)`;
  const rows = await run(sql(text), [start ?? prefix, prefix, count]);
  return rows.map(([topic]) => topic ?? '');
}
