import {
  type Answer,
  type EventLog,
  Follower,
  GroupWriter,
  type NewEvent,
  createPatience,
  createTopicRules,
  createWhileOpen,
  isCountedInTail,
} from '../../log/index.ts';
import { type ClientOptions, clientOf, connectTo } from './clients.ts';
import { type Connection, createConnection } from './connection.ts';
import { confirm } from './durability.ts';
import { follow } from './follow.ts';
import { claim } from './lease.ts';
import { createListener } from './listener.ts';
import { openLog } from './open.ts';
import { DEFAULT_RETENTION, DEFAULT_TAIL, type RedisLogOptions, assertRedisOptions } from './options.ts';
import { readLosses } from './read-losses.ts';
import { readPage, readValues } from './read.ts';
import { toBounds } from './records.ts';
import { notOpened } from './replies.ts';
import { createSource, stateOf } from './source.ts';
import { type State, createStore, newWalks, readNames } from './store.ts';
import { createWriter } from './write.ts';

/** The most events a script takes in addition to a single call's: Redis serves no one else meanwhile. */
const MAX_GROUP = 1000;
/** The most topics with a bound of their own that are trimmed at once. */
const SWEEP_STEP = 200;
/** Milliseconds for which an append waits for earlier events of others that can’t be read, and between tries. */
const PATIENCE = 2000;
const REST = 100;
/** Milliseconds between trims by age. */
const TRIM_EVERY = 1000;

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
  const mayResend = durability === 'server';
  const connection = await connect(given, { key: `${prefix}log`, timeout, mayResend });
  const store = createStore(connection, prefix);
  // While it waits for a replica or a disk, a connection does nothing else. And the app's own client may ask again on a
  // new connection whether a replica has it all, which waits for nothing there.
  const writing = mayResend ? store : createStore(await forkOf(connection), prefix);
  const id = crypto.randomUUID();
  const topics = given.topics ?? [];
  const opening = (async () => {
    const found = await openLog(store, writing, durability);
    return { ...found, lease: await claim(store, { id, retention, topics }) };
  })();
  const {
    script,
    state: opened,
    lease,
  } = await opening.catch(async (error: unknown) => {
    await closeConnections();
    throw notOpened(error);
  });
  const canAge = [{ retention }, ...topics].some((rule) => rule.retention?.age !== undefined);
  let state: State = opened;
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
    patience: createPatience(Math.min(timeout, PATIENCE), REST),
  });
  const { tail } = follower;
  const writer = new GroupWriter(write, MAX_GROUP, restOfTurn);
  const appender = createWriter({ script, prefix, id, rules, retention, now: given.now, timeout });
  const listener = createListener({ id, store, follower, learn: (news) => learn({ ...state, ...news }) });
  const following = await follow(store, {
    position: () => tail,
    onWakeUps: (wakeUps) => listener.take(wakeUps),
    onConnection,
    timeout,
  }).catch(async (error: unknown) => {
    await lease.release();
    await closeConnections();
    throw error;
  });

  async function closeConnections(): Promise<void> {
    if (writing !== store) await writing.connection.close();
    await connection.close();
  }

  function learn(read: State): void {
    if (read.epoch !== state.epoch) {
      state = read;
      store.walks = newWalks();
    } else if (read.head >= state.head)
      state = { ...read, newestLoss: Math.max(state.newestLoss, read.newestLoss) };
  }

  /** A new connection may lead to another server than the one for commands. */
  async function onConnection(other: Connection): Promise<void> {
    await follower.catchUp();
    const { head } = tail;
    const found = await stateOf({ ...store, connection: other });
    const isNewer = found.lineage.some((past) => past.epoch === state.epoch);
    if (!isNewer && found.head >= head) return;
    connection.renew();
    if (writing !== store) writing.connection.renew();
    if (!isNewer) await fence();
  }

  async function fence(): Promise<void> {
    await appender.trim(state.epoch);
  }

  function write(events: readonly NewEvent[], lengths: readonly number[]): Promise<readonly Answer[]> {
    return listener.during(append(events, lengths));
  }

  async function append(events: readonly NewEvent[], lengths: readonly number[]): Promise<readonly Answer[]> {
    if (events.length > 0) lease.assertHeld();
    const written =
      events.length === 0
        ? await appender.trim(state.epoch, await topicsToSweep())
        : await appender.append({ events, lengths, epoch: state.epoch });
    const { answers, entries, known, time, hasLeft, ...after } = written;
    store.hasLeft = hasLeft;
    ahead = time - (given.now ?? Date.now)();
    const newest = entries.at(-1)?.seq;
    const seq = Math.max(known, newest ?? 0);
    if (seq > 0) await confirm(writing, durability, { epoch: after.epoch, seq, ownKey: `w:${id}` }, timeout);
    if (after.epoch === state.epoch) learn({ ...state, ...after });
    // In a new epoch, this process's events may be lost: only reading can tell.
    if (after.epoch !== tail.epoch) await follower.catchUp();
    const before = newest === undefined ? known : newest - entries.length;
    if ((newest === undefined ? after.head : before) > tail.head) listener.heardOfOthers();
    await follower.push(entries, before, after.epoch);
    return answers;
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
    await closeConnections();
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

/** Resolves once nothing but input and timers can go on: promises that are settled have had their consequences. */
function restOfTurn(): Promise<void> {
  return new Promise((resolve) => {
    process.nextTick(resolve);
  });
}

async function connect(given: RedisLogOptions, options: ClientOptions): Promise<Connection> {
  const { url = '', client } = given;
  const first = client === undefined ? await connectTo(url, options) : clientOf(client, options);
  return createConnection(first.isPool ? await first.duplicate() : first, options.timeout);
}

/** A second connection like it; it ends with it if there is none. */
async function forkOf(connection: Connection): Promise<Connection> {
  return connection.fork().catch(async (error: unknown) => {
    await connection.close();
    throw error;
  });
}

export type { RedisClient } from './clients.ts';
export type { RedisLogOptions } from './options.ts';
