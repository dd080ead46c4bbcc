import { assertEpoch } from '../protocol/cursor.ts';
import { TidingsError } from '../protocol/errors.ts';
import type { NewEvent } from '../protocol/event.ts';
import type { Appended, EventLog, LogQuery } from '../hub/log.ts';
import { type LogEntry, type Page, type Retention, Tail } from '../hub/tail.ts';
import { TrimmedTopics } from './trimmed-topics.ts';

export interface MemoryLogOptions {
  /** Default: 100,000 events, 64 MiB, any age. */
  readonly retention?: Retention;
  /** Default: random, so that cursors of an earlier process are known to be foreign. */
  readonly epoch?: string;
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number;
}

const DEFAULT_RETENTION: Retention = { events: 100_000, bytes: 67_108_864 };

/**
 * A log that lives and dies with the process: a tail that is all there is. After a restart clients are told of a
 * gap with the reason `epoch`.
 */
export function memoryLog(options: MemoryLogOptions = {}): EventLog {
  const { now = Date.now, epoch = randomEpoch() } = options;
  assertEpoch(epoch);
  const seqById = new Map<string, number>();
  const trimmed = new TrimmedTopics();
  const tail = new Tail({
    epoch,
    retention: { ...DEFAULT_RETENTION, ...options.retention },
    onTrim: (entry) => {
      trimmed.record(entry.topics, entry.seq);
      if (entry.id !== undefined) seqById.delete(entry.id);
    },
  });
  let closed = false;

  function append(events: readonly NewEvent[]): readonly Appended[] {
    const time = now();
    const entries: LogEntry[] = [];
    const appended = events.map((event) => {
      const known = event.id === undefined ? undefined : seqById.get(event.id);
      if (known !== undefined) return { seq: known, duplicate: true };
      const seq = tail.head + entries.length + 1;
      if (event.id !== undefined) seqById.set(event.id, seq);
      entries.push({ ...event, seq, time, frame: undefined });
      return { seq, duplicate: false };
    });
    tail.push(entries);
    return appended;
  }

  function read({ after, wants, limit }: LogQuery): Page {
    return tail.read(Math.max(after, tail.floor), wants, limit);
  }

  function whileOpen<T>(work: () => T): Promise<T> {
    if (!closed) return Promise.resolve(work());
    return Promise.reject(new TidingsError('log/closed', 'The log is closed; the hub was shut down.', { status: 503 }));
  }

  return {
    tail,
    get floor() {
      return tail.floor;
    },
    append: (events) => whileOpen(() => append(events)),
    read: (query) => whileOpen(() => read(query)),
    losses: (after, matchers) => whileOpen(() => trimmed.losses(after, matchers)),
    trim: (time) => tail.trim(time),
    close: () => {
      closed = true;
      return Promise.resolve();
    },
  };
}

function randomEpoch(): string {
  return crypto.randomUUID().replaceAll('-', '').slice(0, 16);
}
