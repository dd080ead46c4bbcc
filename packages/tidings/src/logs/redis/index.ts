import {
  type Answer,
  type Checks,
  type EventLog,
  Follower,
  GroupWriter,
  type LogEntry,
  NOW,
  type NewEvent,
  RETENTION,
  type Retention,
  SUPERSEDED_ID_WINDOW,
  TOPIC_RULES,
  TidingsError,
  type TopicRule,
  aNumber,
  aString,
  anObjectWith,
  assertNow,
  assertOptions,
  createWhileOpen,
  createTopicRules,
  entryOf,
  isCountedInTail,
  invalidOption,
  oneOf,
  options,
} from '../../log/index.ts';
import { type Connection, type RedisClient, type Reply, connectTo, connectionOf } from './connection.ts';
import { type Durability, confirm } from './durability.ts';
import { openLog } from './open.ts';
import { readPage, readValues } from './read.ts';
import { readLosses } from './read-losses.ts';
import { toAnswers, toArguments, toBounds } from './records.ts';
import { createSource, stateOf } from './source.ts';
import { type State, createStore, newWalks, readNames, toExpiry } from './store.ts';
import { follow } from './follow.ts';
import { claim } from './lease.ts';

export interface RedisLogOptions {
  /** Such as `redis://localhost:6379`, or `rediss://` for TLS; needs the package `@redis/client`. Or give `client`. */
  readonly url?: string;
  /** The app's own client: of ioredis, `redis` or `@redis/client`, also for Sentinel or a cluster. It stays the app's to close. */
  readonly client?: RedisClient;
  /** The prefix of the log's keys. Default `{tidings}:`; in a cluster the braces keep the keys together. */
  readonly prefix?: string;
  /** Default: 100,000 events, 256 MiB, any age: Redis keeps all of it in memory. */
  readonly retention?: Retention;
  readonly topics?: readonly TopicRule[];
  /** The newest events, also kept in each process's memory. Default: 10,000 events, 16 MiB. */
  readonly tail?: Retention;
  /**
   * When `publish` resolves. `server`, the default: once Redis has the event, which is as safe as Redis is set up to
   * be. `replica`: once a replica has it, too. `disk`: once it is in the append-only file on the disk (Redis ≥ 7.2).
   */
  readonly durability?: Durability;
  /** Milliseconds after which a command that has no answer fails with `log/unavailable`. Default 5,000. */
  readonly timeout?: number;
  /** Milliseconds since 1970. Default: Redis's own clock, since those of several machines differ. */
  readonly now?: () => number;
}

const OPTIONS: Checks<RedisLogOptions> = {
  url: aString,
  client: anObjectWith('a client of ioredis, redis or @redis/client', 'duplicate'),
  prefix: aString,
  retention: options(RETENTION),
  topics: TOPIC_RULES,
  tail: options(RETENTION),
  durability: oneOf('server', 'replica', 'disk'),
  timeout: aNumber({ min: 1, finite: true }),
  now: NOW,
};

const DEFAULT_RETENTION: Retention = { events: 100_000, bytes: 268_435_456 };
const DEFAULT_TAIL: Retention = { events: 10_000, bytes: 16_777_216 };
/** The most events a script takes in addition to a single call's: Redis serves no one else meanwhile. */
const MAX_GROUP = 1000;
/** The most events a script trims beyond those it appends, and the most topics it trims. */
const TRIM_STEP = 1000;
const SWEEP_STEP = 200;
/** Milliseconds between trims by age. */
const TRIM_EVERY = 1000;
/** Milliseconds before a call without an answer is sent again. */
const RETRY = 50;
/** Topics whose newest loss is known by name. */
const MAX_LOSSES = 100_000;

/**
 * A log in Redis (≥ 7.0) or Valkey, for any number of processes on any number of machines. All of them have the same
 * order, and a cursor is good on each.
 *
 * @throws {TidingsError} `hub/invalid-option`, `package/missing`, `log/unavailable` if Redis can't be reached or
 * may evict keys, `log/in-use` if another process has it open with other `retention` or `topics`.
 */
export async function redisLog(given: RedisLogOptions): Promise<EventLog> {
  assertRedisOptions(given);
  const { prefix = '{tidings}:', durability = 'server', timeout = 5000 } = given;
  const retention = { ...DEFAULT_RETENTION, ...given.retention };
  const rules = createTopicRules(given.topics ?? [], true);
  const connection = await connect(given, { key: `${prefix}log`, timeout });
  const store = createStore(connection, prefix);
  const { script, state: opened } = await openLog(store).catch(async (error: unknown) => {
    await connection.close();
    throw error;
  });
  const writerId = crypto.randomUUID();
  const topics = given.topics ?? [];
  const lease = await claim(store, { id: writerId, retention, topics }).catch(async (error: unknown) => {
    await connection.close();
    throw error;
  });
  const canAge = [{ retention }, ...(given.topics ?? [])].some((rule) => rule.retention?.age !== undefined);
  const bounds = toBounds(retention);
  let state: State = opened;
  let calls = 0;
  let trimmedAt = -Infinity;
  let sweptTo: string | undefined;
  /** How far the log's time is ahead of this process's. */
  let ahead = 0;
  let closing: Promise<void> | undefined;
  const whileOpen = createWhileOpen(() => closing === undefined);

  const follower = new Follower({
    source: createSource(store, fence),
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
  });
  const { tail } = follower;
  const writer = new GroupWriter(write, MAX_GROUP);
  const following = await follow(store, () => follower.catchUp(), timeout).catch(async (error: unknown) => {
    await lease.release();
    await connection.close();
    throw error;
  });

  function learn(read: State): void {
    if (read.epoch !== state.epoch) {
      state = read;
      store.walks = newWalks();
    } else if (read.head >= state.head)
      state = { ...read, newestLoss: Math.max(state.newestLoss, read.newestLoss) };
  }

  /** Without events it trims, and finds out whether the server may have lost the end of the log. */
  function change(
    events: readonly NewEvent[] = [],
    lengths: readonly number[] = [],
    swept: readonly string[] = [],
  ): Promise<Reply> {
    calls += 1;
    return runUntilAnswered([
      prefix,
      events.length === 0 ? '' : writerId,
      String(calls),
      given.now === undefined ? '' : String(given.now()),
      ...bounds,
      String(SUPERSEDED_ID_WINDOW),
      String(TRIM_STEP),
      String(MAX_LOSSES),
      String(events.length),
      state.epoch,
      String(lengths.length),
      ...events.flatMap((event) => toArguments(event, rules)),
      ...lengths.map(String),
      ...swept,
    ]);
  }

  async function fence(): Promise<void> {
    await change();
  }

  async function write(events: readonly NewEvent[], lengths: readonly number[]): Promise<readonly Answer[]> {
    if (events.length > 0) lease.assertHeld();
    const swept = events.length === 0 ? await topicsToSweep() : [];
    const reply = await change(events, lengths, swept);
    const [answer, epoch, head, floor, newestLoss, lossCount, at, left, expiry] = reply as readonly [
      readonly string[],
      ...string[],
    ];
    store.hasLeft = Number(left) > 0;
    ahead = Number(at) - (given.now ?? Date.now)();
    await confirm(connection, durability, timeout);
    const answers = answersOf(answer, events, lengths);
    const entries: LogEntry[] = [];
    let known = 0;
    for (const [i, each] of answers.entries()) {
      if (each instanceof TidingsError) continue;
      if (each.duplicate || each.wait !== undefined) known = Math.max(known, each.seq);
      else entries.push(entryOf(events[i] as NewEvent, each.seq, Number(at)));
    }
    if (epoch === state.epoch) {
      learn({
        ...state,
        head: Number(head),
        floor: Number(floor),
        newestLoss: Number(newestLoss),
        lossCount: Number(lossCount),
        nextExpiry: toExpiry(expiry),
      });
    }
    const newest = entries.at(-1)?.seq;
    // In a new epoch, this process's events may be lost: only reading can tell.
    if (epoch !== tail.epoch) await follower.catchUp();
    await follower.push(entries, newest === undefined ? known : newest - entries.length, epoch);
    return answers;
  }

  /** A connection may break before the answer comes. The script knows a call that it has seen, and repeats its answer. */
  async function runUntilAnswered(args: readonly string[]): Promise<Reply> {
    const deadline = performance.now() + timeout;
    for (;;) {
      try {
        return await script.run(args);
      } catch (error) {
        if (!(error instanceof TidingsError) || performance.now() + RETRY > deadline) throw error;
        await new Promise((resolve) => void setTimeout(resolve, RETRY));
      }
    }
  }

  /** Topics with a bound of their own but without new events are trimmed in turns. */
  async function topicsToSweep(): Promise<string[]> {
    const topics = await readNames(store, 'bounded', '', sweptTo, SWEEP_STEP);
    sweptTo = topics.length < SWEEP_STEP ? undefined : topics.at(-1);
    return topics.flatMap((topic) => [topic, ...toBounds(rules.of(topic)?.retention)]);
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
    await following.stop();
    await follower.stop();
    await lease.release();
    await connection.close();
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
    read: (query) =>
      whileOpen(() => (query.snapshot === true ? readValues : readPage)(store, query, tail.head)),
    losses: (after, matchers, publicOnly) =>
      whileOpen(async () => readLosses(store, await stateOf(store), after, matchers, publicOnly)),
    trim: (time) => whileOpen(() => trim(time)),
    catchUp: () => whileOpen(() => follower.catchUp()),
    close: () => (closing ??= close()),
  };
}

function answersOf(
  answers: readonly string[],
  events: readonly NewEvent[],
  lengths: readonly number[],
): readonly Answer[] {
  let start = 0;
  return lengths.flatMap((length) => {
    const end = start + length;
    const given = toAnswers(answers.slice(start, end), events.slice(start, end));
    start = end;
    return given;
  });
}

function connect(
  given: RedisLogOptions,
  options: { readonly key: string; readonly timeout: number },
): Promise<Connection> {
  return given.client === undefined
    ? connectTo(given.url ?? '', options)
    : Promise.resolve(connectionOf(given.client, options));
}

/** @throws {TidingsError} `hub/invalid-option`. */
function assertRedisOptions(given: RedisLogOptions): void {
  assertOptions(given, OPTIONS);
  if ((given.url === undefined) === (given.client === undefined))
    throw invalidOption('url', 'A Redis log needs either `url` or `client`.');
  assertNow(given.now ?? Date.now);
}

export type { RedisClient } from './connection.ts';
