import {
  type Answer,
  type Checks,
  type EventLog,
  Follower,
  GroupWriter,
  NOW,
  type NewEvent,
  RETENTION,
  type Retention,
  TOPIC_RULES,
  type TopicRule,
  aBoolean,
  aFunction,
  aNumber,
  aString,
  anObjectWith,
  assertNow,
  assertOptions,
  boundsOf,
  createWhileOpen,
  createLogError,
  createPatience,
  createTopicRules,
  either,
  entryOf,
  type EventInput,
  invalidOption,
  isCountedInTail,
  isHubs,
  oneOf,
  options,
} from '../../log/index.ts';
import { type PostgresPool, type Session, assertPool, openDatabase } from './database.ts';
import { quoteSchema } from './migrations.ts';
import { type Registration, openLog } from './open.ts';
import { startMover } from './mover.ts';
import { type AppTransaction, publishIn } from './outbox.ts';
import { readLosses, readPage } from './read.ts';
import { createSource } from './source.ts';
import { type State, createStore, newWalks, readState } from './store.ts';
import { startWakeUps } from './wake-ups.ts';
import { type Group, type Written, createWriter } from './write.ts';

export interface PostgresLogOptions {
  /** Such as `postgres://user:password@localhost/app`; needs the package `pg`. Or give `pool`. */
  readonly url?: string;
  /** The app's own pool of `pg`. It stays the app's to end. */
  readonly pool?: PostgresPool;
  /** The schema for the log's tables. Default `tidings`. */
  readonly schema?: string;
  /**
   * Whether to make the tables, and change those of an earlier version. Default true. With false, run the SQL of
   * `postgresMigrations()` before; the log's role then needs no right to create anything.
   */
  readonly migrate?: boolean;
  /** Default: a million events, any size and age. */
  readonly retention?: Retention;
  readonly topics?: readonly TopicRule[];
  /** The newest events, also kept in each process's memory. Default: 10,000 events, 16 MiB. */
  readonly tail?: Retention;
  /**
   * When `publish` resolves. `server`, the default: once the event is committed, as safely as `synchronous_commit` says
   * there. `relaxed`: before it is on the disk, as with `synchronous_commit = off`; a crash of the server can take the
   * newest.
   */
  readonly durability?: 'server' | 'relaxed';
  /** With `url`: the most connections, in addition to one for notifications. Default 5. */
  readonly connections?: number;
  /**
   * Where to listen for notifications, if `url` leads through a pooler that keeps no sessions: an URL that leads to the
   * server itself. `false`: nowhere, the log is looked at every `pollInterval`.
   */
  readonly listen?: string | false;
  /** Milliseconds between looks at the log while no notifications come. Default 50. */
  readonly pollInterval?: number;
  /** Milliseconds after which a statement that has no answer fails with `log/unavailable`. Default 5,000. */
  readonly timeout?: number;
  /**
   * Pass `true`, once, when you open a log whose server was put back as a copy made while it was shut down. The log
   * notices other backups, crashes and failovers by itself.
   */
  readonly restored?: boolean;
  /** Is given what nobody else learns of: events of `publishIn` that can't be moved into the log. Default: `console.error`. */
  readonly onError?: (error: unknown) => void;
  /** Milliseconds since 1970. Default: the server's clock, which all processes share. */
  readonly now?: () => number;
}

export interface PostgresLog extends EventLog {
  /**
   * Publishes events with a transaction of the app's own: they are in the log once it commits, and never if it
   * doesn't. Of transactions that commit at nearly the same time, the one that called this first comes first: call it
   * after your writes. Resolves once they are part of the transaction.
   *
   * @throws {TidingsError} as `hub.publish` does; `hub/invalid-option` if this is no transaction.
   */
  publishIn(transaction: AppTransaction, events: EventInput | readonly EventInput[]): Promise<void>;
}

const OPTIONS: Checks<PostgresLogOptions> = {
  url: aString,
  pool: anObjectWith('a pool of pg', 'connect', 'options'),
  schema: aString,
  migrate: aBoolean,
  retention: options(RETENTION),
  topics: TOPIC_RULES,
  tail: options(RETENTION),
  durability: oneOf('server', 'relaxed'),
  connections: aNumber({ min: 1, finite: true, integer: true }),
  listen: either(aString, oneOf(false)),
  pollInterval: aNumber({ min: 1, finite: true }),
  timeout: aNumber({ min: 1, finite: true }),
  restored: aBoolean,
  onError: aFunction,
  now: NOW,
};

const DEFAULT_RETENTION: Retention = { events: 1_000_000 };
const DEFAULT_TAIL: Retention = { events: 10_000, bytes: 16_777_216 };
/** The most events a statement takes in addition to a single call's: nobody else appends meanwhile. */
const MAX_GROUP = 1000;
/** The most topics with a bound of their own that are trimmed at once. */
const SWEEP_STEP = 200;
/** Milliseconds for which an append waits for earlier events of others that can’t be read, and between tries. */
const PATIENCE = 2000;
const REST = 100;
/** Milliseconds between trims by age. */
const TRIM_EVERY = 1000;

/**
 * A log in PostgreSQL (≥ 14), for any number of processes on any number of machines. All of them have the same order,
 * and a cursor is good on each.
 *
 * @throws {TidingsError} `hub/invalid-option`, `package/missing`, `log/unavailable` if PostgreSQL can't be reached or
 * lacks the tables, `log/in-use` if another process uses the log with other `retention` or `topics`.
 */
export async function postgresLog(given: PostgresLogOptions): Promise<PostgresLog> {
  assertPostgresOptions(given);
  const { schema = 'tidings', timeout = 5000, pollInterval = 50, listen, now } = given;
  const retention = { ...DEFAULT_RETENTION, ...given.retention };
  const rules = createTopicRules(given.topics ?? [], true);
  const { url, pool, connections = 5 } = given;
  const database = await openDatabase({ url, pool, connections, timeout });
  const store = createStore(database, quoteSchema(schema));
  const registration: Registration = await openLog(store, {
    schema,
    mayMigrate: given.migrate ?? true,
    settings: JSON.stringify([retention, given.topics ?? []]),
    isRestored: given.restored ?? false,
  }).catch(async (error: unknown) => {
    await database.close();
    throw error;
  });
  const opened = registration.state;
  const channel = `tidings/${schema}`;
  const canAge = [{ retention }, ...(given.topics ?? [])].some((rule) => rule.retention?.age !== undefined);
  let state: State = opened;
  let trimmedAt = -Infinity;
  /** How far the log's time is ahead of this process's. */
  let ahead = 0;
  let sweptTo = '';
  let closing: Promise<void> | undefined;
  const whileOpen = createWhileOpen(() => closing === undefined);

  const appender = createWriter({
    store,
    node: registration.node,
    sign: () => registration.sign(),
    rules,
    retention,
    now,
    isRelaxed: given.durability === 'relaxed',
    timeout,
  });
  const follower = new Follower({
    source: createSource(store, assertCurrent, fence),
    rules,
    tail: {
      epoch: opened.epoch,
      head: opened.head,
      retention: { ...DEFAULT_TAIL, ...given.tail },
      counts: (entry) => isCountedInTail(rules, entry),
    },
    lossCount: opened.lossCount,
    onState: (read) => learn(read as State),
    defer: (task) => void setImmediate(task),
    patience: createPatience(Math.min(timeout, PATIENCE), REST),
  });
  const { tail } = follower;
  const writer = new GroupWriter(write, MAX_GROUP);
  const wakeUps = startWakeUps({
    database,
    channel,
    node: registration.node,
    listen,
    pollInterval,
    catchUp: async () => {
      await registration.keepAlive();
      await follower.catchUp();
    },
    head: () => tail.head,
    onSession,
  });
  const mover = startMover(
    store,
    appender,
    channel,
    announce,
    given.onError ?? ((error) => console.error('tidings:', error)),
  );

  function learn(read: State): void {
    if (read.epoch !== state.epoch) {
      state = read;
      store.walks = newWalks();
    } else if (read.head >= state.head)
      state = { ...read, newestLoss: Math.max(state.newestLoss, read.newestLoss) };
  }

  /** @throws {TidingsError} `log/unavailable` if the answer is of a server that another one has since replaced. */
  function assertCurrent({ epoch }: { readonly epoch: string }): void {
    if (epoch === state.epoch || !state.lineage.some((past) => past.epoch === epoch)) return;
    database.renew();
    const message = 'This server is no longer the primary: another one has begun a new epoch of the log.';
    throw createLogError('log/unavailable', message, { details: { retryAfter: 1 } });
  }

  /** A new connection may lead to another server than those of the pool. */
  async function onSession({ run }: Session): Promise<void> {
    const { head } = tail;
    const found = await readState({ run, sql: store.sql });
    const isNewer = found.lineage.some((past) => past.epoch === state.epoch);
    if (!isNewer && found.head >= head) return;
    database.renew();
    if (!isNewer) await fence();
    await follower.catchUp();
  }

  async function fence(): Promise<void> {
    assertCurrent(await appender.trim(channel));
  }

  async function write(events: readonly NewEvent[], lengths: readonly number[]): Promise<readonly Answer[]> {
    if (events.length === 0) {
      await announce(await appender.trim(channel, await groupsToSweep()));
      return [];
    }
    const calls = { events, lengths, epoch: state.epoch };
    const written = await wakeUps.notifying((notified) => appender.append(calls, notified));
    await announce(written);
    return written.answers;
  }

  /** Pushes appended events to the tail; those of other processes, and keys that expired, come first. */
  async function announce({ answers: _, entries, time, ...after }: Written): Promise<void> {
    assertCurrent(after);
    ahead = time - (now ?? Date.now)();
    if (after.epoch === state.epoch) learn({ ...state, ...after });
    const newest = entries.at(-1)?.seq;
    // In a new epoch, this process's events may be lost: only reading can tell.
    if (after.epoch !== tail.epoch) await follower.catchUp();
    await follower.push(entries, newest === undefined ? after.head : newest - entries.length, after.epoch);
  }

  /** Topics with a bound of their own but without new events are trimmed in turns. */
  async function groupsToSweep(): Promise<Group[]> {
    const text = `SELECT substr(c.name, 2),
        (SELECT topics FROM SCHEMA.events WHERE grp = substr(c.name, 2) ORDER BY seq LIMIT 1)
      FROM SCHEMA.counts c WHERE c.name > 'g' || $1 AND c.name < 'h' ORDER BY c.name LIMIT ${SWEEP_STEP}`;
    const rows = await store.run(store.sql(text), [sweptTo]);
    sweptTo = rows.length < SWEEP_STEP ? '' : (rows.at(-1)?.[0] ?? '');
    return rows.flatMap(([name, topics]) => {
      const found = boundsOfGroup((topics ?? '').split('\n')[0] ?? '');
      return found === undefined || name === null || name === undefined ? [] : [{ name, retention: found }];
    });
  }

  function boundsOfGroup(topic: string): Retention | undefined {
    const event = { topics: [topic], data: '', type: undefined, id: undefined, key: undefined } as const;
    const entry = entryOf({ ...event, tombstone: false, private: false }, 0, 0);
    return boundsOf(rules, isHubs(entry) ? { ...entry, tombstone: true } : entry)?.retention;
  }

  async function trim(time: number): Promise<void> {
    // By count and size the log is trimmed as it grows; this is for age and expiry.
    const canWait = !canAge || Math.abs(time - trimmedAt) < TRIM_EVERY;
    if (canWait && state.nextExpiry > time + ahead) return;
    trimmedAt = time;
    await writer.append([]);
  }

  async function close(): Promise<void> {
    await writer.finish();
    await mover.stop();
    await wakeUps.stop();
    await follower.stop();
    await registration.end();
    await database.close();
  }

  return {
    tail,
    rules,
    get lineage() {
      return state.lineage;
    },
    shared: true,
    get floor() {
      return Math.min(state.floor, tail.head);
    },
    get newestLoss() {
      // Losses ahead of the tail are reported when it gets there.
      return Math.min(state.newestLoss, tail.head);
    },
    get nextExpiry() {
      return state.nextExpiry;
    },
    append: (events) => whileOpen(() => (events.length === 0 ? [] : writer.append(events))),
    read: (query) => whileOpen(() => readPage(store, query, tail.head)),
    losses: (after, matchers, publicOnly) =>
      whileOpen(async () => readLosses(store, await readState(store), after, matchers, publicOnly)),
    trim: (time) => whileOpen(() => trim(time)),
    catchUp: () => whileOpen(() => follower.catchUp()),
    publishIn: (transaction, events) =>
      whileOpen(async () => {
        await publishIn(
          { store, rules },
          transaction,
          Array.isArray(events) ? events : [events as EventInput],
        );
        mover.expect();
      }),
    close: () => (closing ??= close()),
  };
}

/** @throws {TidingsError} `hub/invalid-option`. */
function assertPostgresOptions(given: PostgresLogOptions): void {
  assertOptions(given, OPTIONS);
  if ((given.url === undefined) === (given.pool === undefined))
    throw invalidOption('url', 'A PostgreSQL log needs either `url` or `pool`.');
  if (given.pool !== undefined) assertPool(given.pool);
  if (given.now !== undefined) assertNow(given.now);
}

export { type PostgresMigrationsOptions, postgresMigrations } from './migrations.ts';
export type { AppTransaction } from './outbox.ts';
export type { PostgresPool } from './database.ts';
