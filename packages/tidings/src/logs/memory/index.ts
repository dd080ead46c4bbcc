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
  NOW,
  RETENTION,
  SUPERSEDED_ID_WINDOW,
  TOPIC_RULES,
  Tail,
  aString,
  assertEpoch,
  assertNow,
  assertOptions,
  closedError,
  createTopicRules,
  entryOf,
  isState,
  options as bag,
  toPage,
} from '../../log/index.ts';
import { States } from './states.ts';
import { TopicRetention } from './topic-retention.ts';
import { TrimmedTopics } from './trimmed-topics.ts';

export interface MemoryLogOptions {
  /** Default: 100,000 events, 64 MiB, any age. */
  readonly retention?: Retention;
  readonly topics?: readonly TopicRule[];
  /** Default: random, so that cursors of an earlier process are known to be foreign. */
  readonly epoch?: string;
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number;
}

const OPTIONS: Checks<MemoryLogOptions> = {
  retention: bag(RETENTION),
  topics: TOPIC_RULES,
  epoch: aString,
  now: NOW,
};
const DEFAULT_RETENTION: Retention = { events: 100_000, bytes: 67_108_864 };

/**
 * A log that lives and dies with the process: a tail that is all there is, and the newest event of each key on
 * topics that are states. After a restart clients are told of a gap with the reason `epoch`.
 *
 * @throws {TidingsError} `hub/invalid-option`; `cursor/invalid` for the epoch; `topic/*` for the rules.
 */
export function memoryLog(options: MemoryLogOptions = {}): EventLog {
  assertOptions(options, OPTIONS);
  const { now = Date.now, epoch = randomEpoch() } = options;
  assertNow(now);
  assertEpoch(epoch);
  const rules = createTopicRules(options.topics ?? []);
  const seqById = new Map<string, number>();
  const supersededIds = new Set<string>();
  const states = new States();
  const trimmed = new TrimmedTopics();
  const tail = new Tail({
    epoch,
    retention: { ...DEFAULT_RETENTION, ...options.retention },
    onTrim: (entry) => {
      topicRetention.forget(entry);
      lose(entry);
    },
  });
  const topicRetention = new TopicRetention(rules, (seq) => {
    const entry = tail.remove(seq);
    if (entry !== undefined) lose(entry);
  });
  let closed = false;

  /** Retention took the entry from the tail. The newest event of a key lives on in `states`. */
  function lose(entry: LogEntry): void {
    if (states.has(entry) && !entry.tombstone) return;
    if (states.has(entry)) states.delete(entry);
    if (entry.id !== undefined) seqById.delete(entry.id);
    trimmed.record(entry.topics, entry.seq);
  }

  function append(events: readonly NewEvent[]): readonly Appended[] {
    const time = now();
    const entries: LogEntry[] = [];
    let ids: Map<string, number> | undefined;
    const appended = events.map((event) => {
      const { id } = event;
      const known = id === undefined ? undefined : (seqById.get(id) ?? ids?.get(id));
      if (known !== undefined) return { seq: known, duplicate: true };
      const seq = tail.head + entries.length + 1;
      entries.push(entryOf(event, seq, time));
      if (id !== undefined) (ids ??= new Map<string, number>()).set(id, seq);
      return { seq, duplicate: false };
    });
    // Nothing fails from here on: all of the call's events are in the log, or none is.
    for (const { id, seq } of entries) if (id !== undefined) seqById.set(id, seq);
    for (const [i, { supersededIds: ids = [] }] of events.entries()) {
      const { seq, duplicate } = appended[i] as Appended;
      if (!duplicate) for (const id of ids) remember(id, seq);
    }
    tail.push(entries);
    for (const entry of entries) settle(entry);
    return appended;
  }

  /** An id of an event that was superseded before it was appended. */
  function remember(id: string, seq: number): void {
    if (seqById.has(id)) return;
    seqById.set(id, seq);
    supersededIds.add(id);
  }

  /** Lets what the new entry supersedes go, though not its id: the publisher may still try again. */
  function settle(entry: LogEntry): void {
    if (!isState(rules, entry)) return topicRetention.add(entry);
    const before = states.set(entry);
    if (before !== undefined) tail.remove(before.seq);
    if (before?.id !== undefined) supersededIds.add(before.id);
    for (const id of supersededIds) {
      const isRecent = (seqById.get(id) ?? 0) > tail.head - SUPERSEDED_ID_WINDOW;
      if (isRecent && supersededIds.size <= SUPERSEDED_ID_WINDOW) break;
      supersededIds.delete(id);
      seqById.delete(id);
    }
  }

  function read({ after, wants, matchers, limit, snapshot = false }: LogQuery): Page {
    if (!snapshot && after >= tail.floor) return tail.read(after, wants, limit, matchers);
    const end = snapshot ? tail.head : tail.floor;
    const entries = states.between(after, end, matchers);
    return toPage(
      entries.filter((entry) => wants(entry) && !(snapshot && entry.tombstone)),
      limit,
      end,
    );
  }

  function whileOpen<T>(work: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      if (closed) reject(closedError());
      else resolve(work());
    });
  }

  return {
    tail,
    rules,
    shared: false,
    get floor() {
      return Math.min(tail.floor, states.oldest - 1);
    },
    get newestLoss() {
      return trimmed.newest;
    },
    append: (events) => whileOpen(() => append(events)),
    read: (query) => whileOpen(() => read(query)),
    losses: (after, matchers) => whileOpen(() => trimmed.losses(after, matchers)),
    trim: (time) =>
      whileOpen(() => {
        tail.trim(time);
        topicRetention.trim(time);
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
