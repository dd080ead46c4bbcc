import {
  type Answer,
  type Checks,
  type EventLog,
  type NewEvent,
  type Retention,
  type TopicRule,
  aBoolean,
  assertNow,
  assertOptions,
  aString,
  advanceTime,
  createWhileOpen,
  createLogError,
  createTopicRules,
  invalidOption,
  NOW,
  oneOf,
  options as bag,
  RETENTION,
  Follower,
  GroupWriter,
  TOPIC_RULES,
} from '../../log/index.ts';
import { readPage, readStates } from './read.ts';
import { readLosses } from './read-losses.ts';
import type { Durability } from './durability.ts';
import { lmdbSource } from './source.ts';
import { closeStore, openStore, unavailable } from './open.ts';
import { nextExpiryOf } from './states.ts';
import { readState } from './log-state.ts';
import { type Store, lineageOf } from './store.ts';
import { footingOf } from './data-file.ts';
import { type WakeUps, openWakeUps } from './wake-ups.ts';
import { type Written, writeEvents } from './write.ts';

export interface LmdbLogOptions {
  /** A folder of the log's own; made if it isn't there. On a local disk: network file systems break the locks. */
  readonly path: string;
  /** Default: a million events, any size and age. */
  readonly retention?: Retention;
  readonly topics?: readonly TopicRule[];
  /** The newest events, also kept in memory. Default: 10,000 events, 16 MiB. */
  readonly tail?: Retention;
  /**
   * Whether several processes of this machine have the log open at once: each appends to it, and each gets what all of
   * them appended. All of them say so, and give the same options. Default false: it is for one process.
   */
  readonly shared?: boolean;
  /**
   * When `publish` resolves. `commit`, the default: once the event is on the disk. `relaxed`: once it is in the log,
   * which a crash of the process can't undo; a power failure can take the newest.
   */
  readonly durability?: Durability;
  /**
   * Pass `true`, once, when you open a log whose folder was restored from a backup over a newer one. Clients
   * that were given events which it doesn't have learn of a gap; all others resume. A log that finds itself in
   * another file than before does so by itself.
   */
  readonly restored?: boolean;
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number;
}

const OPTIONS: Checks<LmdbLogOptions> = {
  path: aString,
  retention: bag(RETENTION),
  topics: TOPIC_RULES,
  tail: bag(RETENTION),
  shared: aBoolean,
  durability: oneOf('commit', 'relaxed'),
  restored: aBoolean,
  now: NOW,
};
const DEFAULT_RETENTION: Retention = { events: 1_000_000 };
const DEFAULT_TAIL: Retention = { events: 10_000, bytes: 16_777_216 };
/** Milliseconds between trims by age, each of which takes a transaction. */
const TRIM_EVERY = 1000;

/**
 * A log on this machine's disk, in LMDB, which needs the package `lmdb`. Its epoch outlives restarts: clients resume
 * across them. While one commit is under way, published events gather for the next.
 *
 * @throws {TidingsError} `package/missing` without the package, `log/unavailable` if the folder can't be used,
 * `log/in-use` if another process has it open and they don't share it (known on Linux only), `hub/invalid-option`.
 */
export function lmdbLog(options: LmdbLogOptions): EventLog {
  assertLmdbOptions(options);
  const { path, now = Date.now, durability = 'commit', shared = false, restored = false } = options;
  const retention = { ...DEFAULT_RETENTION, ...options.retention };
  const rules = createTopicRules(options.topics ?? [], shared);
  const agesBy = (given: readonly TopicRule[]): boolean =>
    [{ retention }, ...given].some((rule) => rule.retention?.age !== undefined);
  let canAge = agesBy(options.topics ?? []);
  const settings = JSON.stringify([retention, options.topics ?? []]);
  const store = openStore({ path, durability, shared, settings, restored });
  const footing = footingOf(path, shared);
  const opened = readState(store);
  let { newestLoss } = opened;
  let trimmedAt = -Infinity;
  const follower = new Follower({
    source: lmdbSource(store),
    rules,
    tail: {
      epoch: store.meta.get('epoch') as string,
      head: opened.head,
      retention: { ...DEFAULT_TAIL, ...options.tail },
    },
    lossCount: opened.lossCount,
    onState: (state) => {
      newestLoss = Math.max(newestLoss, state.newestLoss);
    },
    defer: setImmediate,
  });
  const { tail } = follower;
  const writer = new GroupWriter(write);
  let closing: Promise<void> | undefined;
  /** A closed log can be asked for it, but no longer reads. */
  let floorAtClose: number | undefined;
  const whileOpen = createWhileOpen(() => closing === undefined);

  async function write(events: readonly NewEvent[], calls: readonly number[]): Promise<readonly Answer[]> {
    if (footingOf(path, shared) !== footing)
      throw createLogError(
        'log/unavailable',
        `The log's folder ${path}, or a file in it, was removed or replaced while it was open.`,
      );
    const written = await transact(store, () =>
      writeEvents({ store, rules, retention, now: now() }, events, calls),
    );
    wakeUps?.send();
    await announce(written);
    return written.appended;
  }

  /** Pushes appended events to the tail; those of other processes come first. */
  async function announce({ entries, changes, state }: Written): Promise<void> {
    newestLoss = Math.max(newestLoss, state.newestLoss);
    if (shared) return follower.push(entries, state.head - entries.length);
    tail.push(entries);
    for (const { seq, left } of changes) {
      if (left === undefined) tail.remove(seq);
      else tail.replace(left);
    }
  }

  function wake(): void {
    if (!shared) return;
    follower.catchUp().catch(() => {
      // A caller of `catchUp` gets the error. It is tried again with each commit, and now and then.
    });
  }

  async function trim(time: number): Promise<void> {
    const known = readState(store).time;
    const { last: at, ahead } = advanceTime(known, time);
    // By count and size the log is trimmed as it grows; transactions are for age and expiry, and to note a clock that jumped.
    const canWait = ahead === known.ahead && (!canAge || at - trimmedAt < TRIM_EVERY);
    if (canWait && nextExpiryOf(store) > at) return;
    trimmedAt = at;
    await writer.append([]);
  }

  function floorNow(): number {
    const [oldest] = Array.from(store.events.getKeys({ limit: 1 }));
    return oldest === undefined ? tail.head : oldest - 1;
  }

  async function close(): Promise<void> {
    floorAtClose = floorNow();
    await writer.finish();
    wakeUps?.close();
    await follower.stop();
    await closeStore(store, durability);
  }

  function listen(): WakeUps {
    try {
      return openWakeUps(path, wake, () => void store.root.readerCheck());
    } catch (cause) {
      void closeStore(store, durability);
      throw unavailable(path, cause);
    }
  }

  const wakeUps = shared ? listen() : undefined;
  // For events appended since the state was read.
  wake();

  return {
    tail,
    rules: {
      ...rules,
      change(next) {
        rules.change(next);
        canAge = agesBy(next);
      },
    },
    lineage: lineageOf(store),
    shared,
    get floor() {
      return floorAtClose ?? floorNow();
    },
    get newestLoss() {
      // Losses ahead of the tail are reported when it gets there.
      return Math.min(Math.max(newestLoss, store.damage.newest), tail.head);
    },
    get nextExpiry() {
      return nextExpiryOf(store);
    },
    append: (events) => whileOpen(() => writer.append(events)),
    read: (query) =>
      whileOpen(() => (query.snapshot === true ? readStates : readPage)(store, query, tail.head)),
    losses: (after, matchers, publicOnly) => whileOpen(() => readLosses(store, after, matchers, publicOnly)),
    trim: (time) => whileOpen(() => trim(time)),
    catchUp: () => whileOpen(() => (shared ? follower.catchUp() : undefined)),
    close: () => (closing ??= close()),
  };
}

/** @throws {TidingsError} `hub/invalid-option`. */
function assertLmdbOptions(options: LmdbLogOptions): void {
  assertOptions(options, OPTIONS);
  if (options.path === undefined)
    throw invalidOption('path', 'An LMDB log needs a `path`: a folder of its own.');
  assertNow(options.now ?? Date.now);
  // In a relaxed log, each process knows only of its own commits which are on the disk.
  if (options.shared === true && options.durability === 'relaxed')
    throw invalidOption('durability', 'A log with `shared` has `durability: "commit"`.');
}

/** Runs `work` in a transaction that ends as a whole or not at all. Resolves when it is durable. */
async function transact<T>(store: Store, work: () => T): Promise<T> {
  try {
    return await store.root.childTransaction(work);
  } catch (error) {
    // LMDB gives the reason in a separate promise, a little later.
    throw (
      (await (error as { commitError?: Promise<unknown> }).commitError?.catch((reason: unknown) => reason)) ??
      error
    );
  }
}
