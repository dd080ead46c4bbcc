import {
  type EventInput,
  type NewEvent,
  TidingsError,
  type TopicRules,
  createLogError,
  invalidOption,
  toNewEvent,
} from '../../log/index.ts';
import type { Store } from './store.ts';

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

/** Correct with either `standard_conforming_strings`. JSON has no NUL. */
function quote(text: string): string {
  return `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}

function noTransaction(got: string): TidingsError {
  return invalidOption(
    'transaction',
    `Expected a transaction of pg (its client), Kysely or Drizzle, got ${got}: events are to commit with your rows.`,
  );
}
