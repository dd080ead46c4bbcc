import type { NewEvent } from '../protocol/event.ts';
import { createError } from '../protocol/errors.ts';
import type { TidingsError } from '../protocol/tidings-error.ts';
import type { LogEntry } from './entry.ts';

/** The seq of a key's value at `now`, 0 if it has none: never had one, or it was deleted, or has expired. */
export function valueSeqOf(newest: LogEntry | undefined, now: number): number {
  if (newest === undefined || newest.tombstone || (newest.expiresAt ?? Infinity) <= now) return 0;
  return newest.seq;
}

/** The error of a call whose event's `ifSeq` is not the seq of its key's value; that is `seq`, or 0. */
export function conflictError({ key, ifSeq }: NewEvent, seq: number): TidingsError {
  const present = seq === 0 ? 'has no value' : `has the value of event ${seq}`;
  const expected = ifSeq === 0 ? 'none' : `that of event ${ifSeq}`;
  const message = `The key ${JSON.stringify(key)} ${present}, expected ${expected}. Nothing was published.`;
  return createError('event/conflict', message, { details: { key, seq } });
}

/** A log's answer to an event that comes too early for its pace, or too late. */
export type PaceVerdict =
  | { readonly is: 'due' }
  /** A value that was published later is in the log already: the event is a duplicate of it. */
  | { readonly is: 'superseded'; readonly seq: number }
  /** Too soon, by so many milliseconds. */
  | { readonly is: 'early'; readonly wait: number };

/** Judges an event's pace by the newest event of its key. */
export function judgePace({ pace }: NewEvent, newest: LogEntry | undefined, now: number): PaceVerdict {
  if (pace === undefined || newest === undefined) return { is: 'due' };
  if ((newest.publishedAt ?? newest.time) > now - pace.waited) return { is: 'superseded', seq: newest.seq };
  const wait = newest.time + pace.interval - now;
  return wait > 0 ? { is: 'early', wait } : { is: 'due' };
}
