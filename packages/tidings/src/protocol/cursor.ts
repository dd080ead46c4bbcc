import { createError } from './errors.ts';

/**
 * A position in a log: every event up to and including `seq` has been delivered.
 *
 * On the wire it is opaque text, `epoch.seq`. ASCII without spaces, at most 128 bytes, it passes through `id:`,
 * `Last-Event-ID` and a query string unescaped.
 */
export interface Cursor {
  /** One incarnation of a log. A cursor of another epoch can't be compared with this one's. */
  readonly epoch: string;
  /** A non-negative safe integer; 0 stands before the first event. */
  readonly seq: number;
}

/** Asks for every retained event. Clients send it; the hub never issues it. */
export const EARLIEST = 'earliest';

/**
 * Where a subscriber asks to begin: after a cursor, at the oldest retained event (`earliest`), with the next event
 * (`head`), or at a text that isn't a Tidings cursor (`unknown`).
 */
export type Start = Cursor | 'earliest' | 'head' | 'unknown';

const CURSOR = /^([A-Za-z0-9_-]{1,64})\.(0|[1-9][0-9]{0,15})$/;
const EPOCH = /^[A-Za-z0-9_-]{1,64}$/;

export function formatCursor(cursor: Cursor): string {
  return `${cursor.epoch}.${cursor.seq}`;
}

/** @returns undefined if the text isn't a Tidings cursor; the caller decides how to treat that. */
export function parseCursor(text: string): Cursor | undefined {
  const match = CURSOR.exec(text);
  const seq = Number(match?.[2]);
  if (match?.[1] === undefined || !Number.isSafeInteger(seq)) return undefined;
  return { epoch: match[1], seq };
}

/** Reads the cursor of a request. An absent or empty one asks to begin with the next event. */
export function parseStart(text: string | undefined): Start {
  if (text === undefined || text === '') return 'head';
  return text === EARLIEST ? 'earliest' : (parseCursor(text) ?? 'unknown');
}

/** @throws {TidingsError} `cursor/invalid` if the text could not stand in a cursor. */
export function assertEpoch(epoch: string): void {
  if (EPOCH.test(epoch)) return;
  throw createError('cursor/invalid', 'An epoch is 1 to 64 characters out of A-Z, a-z, 0-9, "_" and "-".', {
    details: { epoch },
  });
}
