import type { NewEvent } from '../protocol/event.ts';

/** An event with its position in the log. */
export interface LogEntry extends NewEvent {
  /** The topics on which readers still get it: a newer event of its key takes the topics that both have. */
  readonly topics: readonly [string, ...string[]];
  /** The first topic it was published on, which decides its rule; absent if that is still the first of `topics`. */
  readonly canonical?: string;
  readonly seq: number;
  /** Milliseconds since 1970, when it was appended. */
  readonly time: number;
  /** When the log deletes its key, unless a newer value has come, by the log's time; absent: never. */
  readonly expiresAt?: number;
  /** When it was published, if it has waited since for its topic's interval. */
  readonly publishedAt?: number;
  /** The bytes on the wire, once `frameOf` was asked for them: each event is encoded once for everybody. */
  frame: Uint8Array | undefined;
}

/** Field by field: a spread would double the time of an append (`publish`). */
export function entryOf(event: NewEvent, seq: number, time: number): LogEntry {
  const { topics, type, data, id, key, tombstone, ttl, pace } = event;
  const entry = {
    seq,
    time,
    topics,
    type,
    data,
    id,
    key,
    tombstone,
    private: event.private,
    frame: undefined,
  };
  if (ttl === undefined && pace === undefined) return entry;
  return {
    ...entry,
    ...(ttl !== undefined && !tombstone && { expiresAt: time + ttl }),
    ...(pace !== undefined && pace.waited > 0 && { publishedAt: time - pace.waited }),
  };
}

/**
 * The event that deletes an expired key: on all topics on which it has a value, and private only if all its values are.
 *
 * @param values the events that the key has, the newest last.
 */
export function expiryOf(values: readonly LogEntry[]): NewEvent {
  const newest = values.at(-1) as LogEntry;
  const [first, ...others] = new Set([...newest.topics, ...values.flatMap(({ topics }) => topics)]);
  return {
    topics: [first as string, ...others],
    type: newest.type,
    data: 'null',
    id: undefined,
    key: newest.key,
    tombstone: true,
    private: values.every((value) => value.private),
  };
}

/** The topic whose rule applies to the event. */
export function canonicalOf({ canonical, topics }: Pick<LogEntry, 'canonical' | 'topics'>): string {
  return canonical ?? topics[0];
}

/**
 * An event of a key after a newer one superseded it: it leaves only the topics that the newer one is on, and stays as
 * it was if some of its readers may not read the newer one. Undefined if no topic is left.
 */
export function leftOf(older: LogEntry, newer: LogEntry): LogEntry | undefined {
  if (newer.private && !older.private) return older;
  const [first, ...others] = older.topics.filter((topic) => !newer.topics.includes(topic));
  if (first === undefined) return undefined;
  if (others.length + 1 === older.topics.length) return older;
  return { ...older, canonical: canonicalOf(older), topics: [first, ...others] };
}

/** An entry's bytes without its text: the object, its array slots and its frame's header. */
const ENTRY_OVERHEAD = 200;

/** About how many bytes an entry takes. */
export function sizeOf(entry: LogEntry): number {
  let size = ENTRY_OVERHEAD + entry.data.length;
  for (const topic of entry.topics) size += topic.length;
  return size;
}
