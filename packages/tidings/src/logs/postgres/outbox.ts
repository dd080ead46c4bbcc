import {
  type EventInput,
  type NewEvent,
  TidingsError,
  type TopicRules,
  createLogError,
  invalidOption,
  toNewEvent,
} from '../../log/index.ts';
import { type Run, isAnswer } from './database.ts';
import type { Store } from './store.ts';
import { createPause } from './wake-ups.ts';
import type { Writer, Written } from './write.ts';

/**
 * A transaction of the app's own:
 * - with `pg`: the client that began it;
 * - with Kysely: what `db.transaction().execute(…)` passes on;
 * - with Drizzle (`drizzle-orm/node-postgres` and others for PostgreSQL): what `db.transaction(…)` passes on.
 */
export type AppTransaction = PgTransaction | KyselyTransaction | DrizzleTransaction;

interface PgTransaction {
  query(text: string, values: unknown[]): unknown;
}
interface KyselyTransaction {
  executeQuery(query: never): unknown;
}
interface DrizzleTransaction {
  execute(query: string): unknown;
}

/** The most rows moved into the log by one transaction, and characters, but at least one row. */
const MOST_ROWS = 500;
const MOST_LENGTH = 4_000_000;
/** Milliseconds until the first look for what was just published, and between later ones at most. */
const FIRST_LOOK = 2;
const LOOK_EVERY = 25;
/** Milliseconds after the last call of `publishIn` in which it looks that often, and between looks otherwise. */
const EXPECT_FOR = 2000;
const LOOK_SELDOM = 250;
/** Milliseconds for which nothing could be moved until somebody learns of it, and between reports. */
const PATIENCE = 3000;
const REPORT_EVERY = 60_000;

/** Writes the events into the app's transaction. @throws {TidingsError} as `publish` does. */
export async function publishIn(
  { store, rules }: { readonly store: Store; readonly rules: TopicRules },
  transaction: AppTransaction,
  inputs: readonly EventInput[],
): Promise<void> {
  const run = runnerOf(transaction);
  const events = inputs.map((input) => toOutboxEvent(input, rules));
  if (events.length === 0) return;
  await run(store.sql('INSERT INTO SCHEMA.outbox (events) VALUES ('), JSON.stringify(events), ')');
}

/** The event is appended after the call: no condition of it could be refused, and `ttl` needs what it needs elsewhere. */
function toOutboxEvent(input: EventInput, rules: TopicRules): NewEvent {
  const event = toNewEvent(input);
  const [topic] = event.topics;
  if (event.ifSeq !== undefined) {
    const option = event.ifSeq === 0 ? 'ifAbsent' : 'ifSeq';
    const message = `\`publishIn\` takes no \`${option}\`: whether it holds is known only after the commit.`;
    throw createLogError('event/invalid-option', message, { details: { option, topic } });
  }
  if (event.ttl === undefined || rules.of(topic)?.state === true) return event;
  const message = `\`ttl\` needs a topic that is a state: give "${topic}" a topic rule with \`state: true\`.`;
  throw createLogError('event/invalid-option', message, { details: { option: 'ttl', topic } });
}

/** Runs a statement with one parameter, which is between these texts. */
type RunWithOne = (before: string, value: string, after: string) => unknown;

/** @throws {TidingsError} `hub/invalid-option`. */
function runnerOf(given: AppTransaction): RunWithOne {
  const tx = (given ?? {}) as Partial<PgTransaction & KyselyTransaction & DrizzleTransaction> &
    Readonly<Record<string, unknown>>;
  if (typeof tx.executeQuery === 'function') {
    if (tx['isTransaction'] !== true) throw noTransaction('Kysely’s database');
    return (before, value, after) => {
      const sql = `${before}$1${after}`;
      const node = { kind: 'RawNode', sqlFragments: [sql], parameters: [] };
      const queryId = { queryId: crypto.randomUUID() };
      return (tx as { executeQuery(query: object): unknown }).executeQuery({
        sql,
        parameters: [value],
        query: node,
        queryId,
      });
    };
  }
  if (typeof tx.query === 'function') {
    if (typeof tx['totalCount'] === 'number') throw noTransaction('a pool');
    return (before, value, after) => (tx as PgTransaction).query(`${before}$1${after}`, [value]);
  }
  if (typeof tx.execute === 'function') {
    if (typeof tx['rollback'] !== 'function') throw noTransaction('Drizzle’s database');
    return (before, value, after) => (tx as DrizzleTransaction).execute(`${before}${quote(value)}${after}`);
  }
  throw noTransaction('something else');
}

/** Whatever `standard_conforming_strings` says. JSON has no NUL. */
function quote(text: string): string {
  return `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}

function noTransaction(got: string): TidingsError {
  return invalidOption(
    'transaction',
    `Expected a transaction of pg (its client), Kysely or Drizzle, got ${got}: events are to commit with your rows.`,
  );
}

export interface Mover {
  /** Something was published: looks for it soon, whenever it commits. */
  expect(): void;
  stop(): Promise<void>;
}

/**
 * Moves what has committed into the log, in order. Of several processes one at a time does: it holds the lock of the
 * row in `mover`, which goes with its connection. The rows leave the outbox in the transaction that appends their events.
 */
export function startMover(
  store: Store,
  writer: Writer,
  channel: string,
  announce: (written: Written) => Promise<void>,
  report: (error: unknown) => void,
): Mover {
  const { database, sql } = store;
  const some = sql('SELECT EXISTS (SELECT FROM SCHEMA.outbox)::text');
  const take = sql(`WITH lease AS MATERIALIZED (SELECT FROM SCHEMA.mover FOR UPDATE SKIP LOCKED)
    SELECT n, events FROM (
      SELECT n, events, sum(length(events)) OVER (ORDER BY n) - length(events) AS before
      FROM (SELECT n, events FROM SCHEMA.outbox ORDER BY n LIMIT ${MOST_ROWS}) AS oldest
    ) AS each WHERE before < ${MOST_LENGTH} AND EXISTS (SELECT FROM lease) ORDER BY n`);
  let expectedUntil = -Infinity;
  let pause = LOOK_SELDOM;
  let stopped = false;
  /** When moving began to fail, and when that was reported. */
  let failingSince: number | undefined;
  let reportedAt = -Infinity;
  const rests = createPause();
  const ended = run();

  async function run(): Promise<void> {
    while (!stopped) {
      await rests.rest(pause);
      if (stopped) return;
      pause = performance.now() < expectedUntil ? Math.min(LOOK_EVERY, pause * 2) : LOOK_SELDOM;
      try {
        const [[isSome] = []] = await database.run(some);
        while (isSome === 'true' && !stopped && (await moveSome()) > 0);
      } catch {
        // The rows are still there, or in the log.
        pause = LOOK_SELDOM;
      }
    }
  }

  /** A row that can't be moved holds up all that come after it. */
  function noteFailure(cause: unknown): void {
    // Another process was faster.
    if (isAnswer(cause) && cause.code === 'TID03') return;
    const now = performance.now();
    failingSince ??= now;
    if (now - failingSince < PATIENCE || now - reportedAt < REPORT_EVERY) return;
    reportedAt = now;
    const message =
      'Events of `publishIn` can’t be moved into the log. They and later ones stay in the table `outbox`.';
    report(createLogError('log/write-failed', message, { details: { retryAfter: 5 }, cause }));
  }

  /** @returns how many rows it moved: none if there are none, or another process is at it. */
  async function moveSome(): Promise<number> {
    const moved = await database
      .transaction((inTransaction) => moveIn(inTransaction))
      .catch((error: unknown) => {
        noteFailure(error);
        throw error;
      });
    failingSince = undefined;
    if (moved === undefined) return 0;
    await announce(moved.written);
    return moved.rows;
  }

  async function moveIn(inTransaction: Run): Promise<{ written: Written; rows: number } | undefined> {
    const rows = await inTransaction(take);
    if (rows.length === 0) return undefined;
    const events = rows.flatMap(([, text]) => (JSON.parse(text ?? '[]') as StoredEvent[]).map(toEvent));
    const written = await writer.move(
      inTransaction,
      events,
      rows.map(([n]) => Number(n)),
      channel,
    );
    return { written, rows: rows.length };
  }

  return {
    expect() {
      const isNews = performance.now() >= expectedUntil;
      expectedUntil = performance.now() + EXPECT_FOR;
      pause = FIRST_LOOK;
      if (isNews) rests.wake();
    },
    async stop() {
      stopped = true;
      rests.end();
      await ended;
    },
  };
}

/** JSON leaves out what is undefined. */
type StoredEvent = Omit<NewEvent, 'type' | 'id' | 'key'> & Partial<Pick<NewEvent, 'type' | 'id' | 'key'>>;

function toEvent(stored: StoredEvent): NewEvent {
  return { ...stored, type: stored.type, id: stored.id, key: stored.key };
}
