import { createError } from './errors.ts';

/**
 * A place in a log: everything up to and including `seq` has been given.
 *
 * On the wire it is opaque text, `epoch.seq`, so that it survives `id:`, `Last-Event-ID` and a query string
 * unescaped: ASCII, no spaces, at most 128 bytes.
 */
export interface Cursor {
  /** One incarnation of a log. A cursor of another epoch can't be compared with this one's. */
  readonly epoch: string;
  /** A non-negative safe integer; 0 stands before the first event. */
  readonly seq: number;
}

/** Asks for everything that is retained. A client sends it; the hub never issues it. */
export const EARLIEST = 'earliest';

/**
 * Where a subscriber asks to begin: after a cursor, with everything that is retained (`earliest`), with what comes next
 * (`head`), or with text that is no cursor of ours (`unknown`).
 */
export type Start = Cursor | 'earliest' | 'head' | 'unknown';

const CURSOR = /^([A-Za-z0-9_-]{1,64})\.(0|[1-9][0-9]{0,15})$/;
const EPOCH = /^[A-Za-z0-9_-]{1,64}$/;

export function formatCursor(cursor: Cursor): string {
  return `${cursor.epoch}.${cursor.seq}`;
}

/** @returns undefined for text that is not a cursor of ours: the caller decides what that means. */
export function parseCursor(text: string): Cursor | undefined {
  const match = CURSOR.exec(text);
  const seq = Number(match?.[2]);
  if (match?.[1] === undefined || !Number.isSafeInteger(seq)) return undefined;
  return { epoch: match[1], seq };
}

/** Reads a cursor that came with a request; absent or empty, it asks for what comes next. */
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
