import type { Appended, EventLog } from '../../hub/log.ts';
import { type Retention, Tail, assertRetention } from '../../hub/tail.ts';
import { type TopicRule, createTopicRules } from '../../hub/topic-rules.ts';
import { TidingsError } from '../../protocol/errors.ts';
import type { NewEvent } from '../../protocol/event.ts';
import { readLosses, readPage, readStates } from './read.ts';
import type { Durability } from './durability.ts';
import { closeStore, openStore } from './open.ts';
import { type Store, readState } from './store.ts';
import { writeEvents } from './write.ts';

export interface LmdbLogOptions {
  /** A folder of the log's own; made if it isn't there. On a local disk: network file systems break the locks. */
  readonly path: string;
  /** Default: a million events, any size and age. */
  readonly retention?: Retention;
  readonly topics?: readonly TopicRule[];
  /** What is kept in memory as well. Default: 10,000 events, 16 MiB. */
  readonly tail?: Retention;
  /**
   * When `publish` resolves. `commit`, the default: once the event is on the disk. `relaxed`: once it is in the log,
   * which a crash of the process can't undo; a power failure can take the newest.
   */
  readonly durability?: Durability;
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number;
}

/** A call of `append`; without events, of `trim`. */
interface Waiting {
  readonly events: readonly NewEvent[];
  readonly resolve: (appended: readonly Appended[]) => void;
  readonly reject: (error: unknown) => void;
}

const DEFAULT_RETENTION: Retention = { events: 1_000_000 };
const DEFAULT_TAIL: Retention = { events: 10_000, bytes: 16_777_216 };
/** What one transaction takes on; more waits for the next. */
const MAX_GROUP = 10_000;

/**
 * A log on this machine's disk, in LMDB, which needs the package `lmdb`. Its epoch outlives restarts, so that
 * clients resume across them. While one commit is under way, what is published gathers for the next.
 *
 * @throws {TidingsError} `package/missing` without the package, `log/unavailable` if the folder can't be used,
 * `log/in-use` if another process has it open (known on Linux only).
 */
export function lmdbLog(options: LmdbLogOptions): EventLog {
  if (typeof options?.path !== 'string' || options.path === '') {
    throw new TidingsError('hub/invalid-option', 'An LMDB log needs a `path`: a folder of its own.', {
      details: { option: 'path' },
    });
  }
  const { now = Date.now, durability = 'commit' } = options;
  const retention = { ...DEFAULT_RETENTION, ...options.retention };
  assertRetention(retention);
  const rules = createTopicRules(options.topics ?? []);
  const canAge = [{ retention }, ...(options.topics ?? [])].some((rule) => rule.retention?.age !== undefined);
  const store = openStore(options.path, durability);
  const opened = readState(store);
  const tail = new Tail({
    epoch: store.meta.get('epoch') as string,
    head: opened.head,
    retention: { ...DEFAULT_TAIL, ...options.tail },
  });
  let { newestLoss } = opened;
  const waiting: Waiting[] = [];
  let writing: Promise<void> | undefined;
  let closing: Promise<void> | undefined;

  function append(events: readonly NewEvent[]): Promise<readonly Appended[]> {
    return new Promise((resolve, reject) => {
      waiting.push({ events, resolve, reject });
      writing ??= writeAll();
    });
  }

  async function writeAll(): Promise<void> {
    while (waiting.length > 0) {
      const group = takeGroup();
      try {
        await writeGroup(group);
      } catch (cause) {
        const error = new TidingsError(
          'log/write-failed',
          'The log could not be written; nothing was appended.',
          {
            status: 503,
            details: { retryAfter: 5 },
            cause,
          },
        );
        for (const { reject } of group) reject(error);
      }
    }
    writing = undefined;
  }

  function takeGroup(): Waiting[] {
    let size = 0;
    let count = 0;
    for (const { events } of waiting) {
      if (count > 0 && size + events.length > MAX_GROUP) break;
      size += events.length;
      count += 1;
    }
    return waiting.splice(0, count);
  }

  async function writeGroup(group: readonly Waiting[]): Promise<void> {
    const events = group.flatMap((each) => each.events);
    const written = await transact(store, () => writeEvents({ store, rules, retention, now: now() }, events));
    newestLoss = written.state.newestLoss;
    tail.push(written.entries);
    for (const seq of written.superseded) tail.remove(seq);
    let start = 0;
    for (const { events: own, resolve } of group) {
      resolve(written.appended.slice(start, start + own.length));
      start += own.length;
    }
  }

  function whileOpen<T>(work: () => T | Promise<T>): Promise<T> {
    if (closing === undefined) return Promise.resolve(work());
    return Promise.reject(
      new TidingsError('log/closed', 'The log is closed; the hub was shut down.', { status: 503 }),
    );
  }

  async function close(): Promise<void> {
    await writing;
    await closeStore(store, durability);
  }

  return {
    tail,
    rules,
    get floor() {
      const [oldest] = Array.from(store.events.getKeys({ limit: 1 }));
      return oldest === undefined ? tail.head : oldest - 1;
    },
    get newestLoss() {
      return newestLoss;
    },
    append: (events) => whileOpen(() => append(events)),
    read: (query) =>
      whileOpen(() => (query.snapshot === true ? readStates : readPage)(store, query, tail.head)),
    losses: (after, matchers) => whileOpen(() => readLosses(store, after, matchers)),
    // By count and size the log is trimmed as it grows; a transaction each second is for age alone.
    trim: async () => void (canAge && (await whileOpen(() => append([])))),
    close: () => (closing ??= close()),
  };
}

/** Runs `work` in a transaction that ends as a whole or not at all. Resolves when it is durable. */
async function transact<T>(store: Store, work: () => T): Promise<T> {
  try {
    return await store.root.childTransaction(work);
  } catch (error) {
    // LMDB tells the reason in a promise of its own, which comes a little later.
    throw (
      (await (error as { commitError?: Promise<unknown> }).commitError?.catch((reason: unknown) => reason)) ??
      error
    );
  }
}
