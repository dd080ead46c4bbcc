import {
  type Appended,
  type Checks,
  type EventLog,
  type LogEntry,
  type LogQuery,
  type NewEvent,
  type Page,
  type Retention,
  type TopicRule,
  AGED_STEP,
  Expiries,
  NOW,
  RETENTION,
  TOPIC_RULES,
  START,
  Tail,
  TrimmedTopics,
  advanceTime,
  isCounted,
  keysOf,
  aString,
  assertEpoch,
  assertNow,
  assertOptions,
  createWhileOpen,
  conflictError,
  createTopicRules,
  entryOf,
  expiryOf,
  inNextTurn,
  isState,
  options as bag,
  valueSeqOf,
} from '../../log/index.ts';
import { Ids } from './ids.ts';
import { States } from './states.ts';
import { TopicRetention } from './topic-retention.ts';

export interface MemoryLogOptions {
  /** Default: 100,000 events, 64 MiB, any age. */
  readonly retention?: Retention;
  readonly topics?: readonly TopicRule[];
  /** Default: random, which makes cursors of an earlier process foreign. */
  readonly epoch?: string;
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number;
}

export const MEMORY_LOG_OPTIONS: Checks<MemoryLogOptions> = {
  retention: bag(RETENTION),
  topics: TOPIC_RULES,
  epoch: aString,
  now: NOW,
};
const NONE: readonly never[] = [];
/** The most keys that are deleted at once, to keep turns short. */
const EXPIRY_STEP = 1000;
/** The most values that one event takes out: a rule that is changed may leave very many. */
const KEYS_STEP = 1000;
const DEFAULT_RETENTION: Retention = { events: 100_000, bytes: 67_108_864 };

/**
 * A log that lives and dies with the process: a tail that is all there is, and the newest event of each key on
 * topics that are states. After a restart clients get a gap with the reason `epoch`.
 *
 * @throws {TidingsError} `hub/invalid-option`; `cursor/invalid` for the epoch; `topic/*` for the rules.
 */
export function memoryLog(options: MemoryLogOptions = {}): EventLog {
  assertOptions(options, MEMORY_LOG_OPTIONS);
  const { now = Date.now, epoch = randomEpoch() } = options;
  assertNow(now);
  assertEpoch(epoch);
  const rules = createTopicRules(options.topics ?? []);
  const ids = new Ids();
  const states = new States(rules);
  const trimmed = new TrimmedTopics();
  const expiries = new Expiries((seq) => states.newest(seq) !== undefined);
  const tail = new Tail({
    epoch,
    retention: { ...DEFAULT_RETENTION, ...options.retention },
    counts: (entry) => isCounted(rules, entry),
    onTrim: (entry) => {
      topicRetention.forget(entry);
      // The value of a key lives on in `states`.
      if (entry.tombstone || !states.has(entry)) lose(entry);
    },
  });
  const topicRetention = new TopicRetention(rules, (seq) => {
    const entry = tail.remove(seq);
    if (entry !== undefined) lose(entry);
  });
  let time = START;
  let closed = false;
  let trimming: Promise<void> | undefined;
  const whileOpen = createWhileOpen(() => !closed);

  /** Retention took the entry. */
  function lose(entry: LogEntry): void {
    states.delete(entry);
    if (entry.id !== undefined) ids.delete(entry.id);
    trimmed.record(entry);
  }

  /** @throws {TidingsError} `event/conflict`. */
  function append(events: readonly NewEvent[]): readonly Appended[] {
    expire(now());
    for (const event of events) {
      if (event.ifSeq === undefined || (event.id !== undefined && ids.seqOf(event.id) !== undefined))
        continue;
      const seq = valueSeqOf(states.of(event).at(-1), time.last);
      if (seq !== event.ifSeq) throw conflictError(event, seq);
    }
    return appendAll(events);
  }

  /** Deletes the keys whose time is over. */
  function expire(at: number): void {
    time = advanceTime(time, at);
    const tombstones: NewEvent[] = [];
    while (tombstones.length < EXPIRY_STEP) {
      const seq = expiries.take(time.last);
      if (seq === undefined) break;
      const value = states.newest(seq);
      if (value !== undefined) tombstones.push(expiryOf(states.of(value)));
    }
    if (tombstones.length > 0) appendAll(tombstones);
  }

  function appendAll(events: readonly NewEvent[]): readonly Appended[] {
    const entries: LogEntry[] = [];
    let fresh: Map<string, number> | undefined;
    const appended = events.map((event) => {
      const { id, supersededIds } = event;
      const known = id === undefined ? undefined : (ids.seqOf(id) ?? fresh?.get(id));
      if (known !== undefined) return { seq: known, duplicate: true };
      const seq = tail.head + entries.length + 1;
      entries.push(entryOf(event, seq, time.last));
      if (id !== undefined) (fresh ??= new Map<string, number>()).set(id, seq);
      for (const each of supersededIds ?? NONE)
        if (fresh?.has(each) !== true) (fresh ??= new Map<string, number>()).set(each, seq);
      return { seq, duplicate: false };
    });
    // Nothing fails from here on: the call is appended as a whole or not at all.
    if (fresh !== undefined) ids.addAll(fresh, entries, tail.head);
    tail.push(entries);
    for (const entry of entries) settle(entry);
    // At least as many as came, or they would become more and more.
    topicRetention.trim(time.last, Math.max(AGED_STEP, entries.length));
    ids.forgetSuperseded(tail.head);
    return appended;
  }

  function settle(entry: LogEntry): void {
    if (isState(rules, entry)) {
      for (const { older, left } of states.set(entry)) supersede(older, left);
      expiries.add(entry);
      const [topic] = entry.topics;
      const most = keysOf(rules, topic);
      for (let lost = 0; lost < KEYS_STEP; lost += 1) {
        const oldest = states.excess(topic, most);
        if (oldest === undefined) break;
        tail.remove(oldest.seq);
        topicRetention.forget(oldest);
        lose(oldest);
      }
    }
    topicRetention.add(entry);
  }

  /** Lets an event go, though not its id: the publisher may still try again. */
  function supersede(older: LogEntry, left: LogEntry | undefined): void {
    if (left === older) return;
    topicRetention.forget(older);
    if (left === undefined) {
      tail.remove(older.seq);
      if (older.id !== undefined) ids.supersede(older.id, tail.head);
    } else if (older.seq > tail.floor) {
      tail.replace(left);
      tail.trim(time.last, AGED_STEP);
    } else if (!isState(rules, left)) {
      // As an event like any other, it is older than all that retention has left.
      lose(left);
    }
  }

  /** Some at a time: everything may have grown too old at the same moment. */
  async function trimAll(): Promise<void> {
    for (;;) {
      const isDone = [tail.trim(time.last, AGED_STEP), topicRetention.trim(time.last, AGED_STEP)];
      if (!isDone.includes(false)) return;
      await new Promise<void>(inNextTurn);
      if (closed) return;
    }
  }

  function read({ after, before, wants, matchers, limit, snapshot = false }: LogQuery): Page {
    if (before !== undefined) {
      if (before <= tail.floor + 1) return states.readBack(before, after, { wants, matchers, limit });
      return tail.readBack(before, Math.max(after, tail.floor), wants, limit, matchers);
    }
    if (snapshot) {
      const isWanted = (entry: LogEntry): boolean => !entry.tombstone && wants(entry);
      return states.read(after, tail.head, { wants: isWanted, matchers, limit });
    }
    if (after >= tail.floor) return tail.read(after, wants, limit, matchers);
    return states.read(after, tail.floor, { wants, matchers, limit });
  }

  return {
    tail,
    rules,
    // It loses events only together with its process, which leaves nothing to go on from.
    lineage: [],
    shared: false,
    get floor() {
      return Math.min(tail.floor, states.oldest - 1);
    },
    get newestLoss() {
      return trimmed.newest;
    },
    get nextExpiry() {
      return expiries.next;
    },
    append: (events) => whileOpen(() => append(events)),
    read: (query) => whileOpen(() => read(query)),
    losses: (after, matchers, publicOnly) => whileOpen(() => trimmed.losses(after, matchers, publicOnly)),
    trim: (at) =>
      whileOpen(() => {
        expire(at);
        trimming ??= trimAll().finally(() => (trimming = undefined));
        return trimming;
      }),
    catchUp: () => whileOpen(() => {}),
    close: () => {
      closed = true;
      return Promise.resolve();
    },
  };
}

function randomEpoch(): string {
  return crypto.randomUUID().replaceAll('-', '').slice(0, 16);
}
