import type { NewEvent } from '../protocol/event.ts';

/** An event with its place in the log. */
export interface LogEntry extends NewEvent {
  readonly seq: number;
  /** Milliseconds since 1970, when it was appended. */
  readonly time: number;
  /** The bytes on the wire, once `frameOf` was asked for them: each event is encoded once for everybody. */
  frame: Uint8Array | undefined;
}

/** Field by field: a spread takes as long as all else that is done to append an event. Measured by `publish`. */
export function entryOf(event: NewEvent, seq: number, time: number): LogEntry {
  const { topics, type, data, id, key, tombstone } = event;
  return { seq, time, topics, type, data, id, key, tombstone, private: event.private, frame: undefined };
}

/** What an entry costs besides its text: the object, its array slots and its frame's header. */
const ENTRY_OVERHEAD = 200;

/** About how many bytes an entry takes. */
export function sizeOf(entry: LogEntry): number {
  let size = ENTRY_OVERHEAD + entry.data.length;
  for (const topic of entry.topics) size += topic.length;
  return size;
}
