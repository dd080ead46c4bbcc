import { TidingsError } from '../protocol/tidings-error.ts';
import { within } from './deadline.ts';
import type { Timers } from './timers.ts';

/** Milliseconds. A server that accepts the request for a file may never send it, and nothing can abort an `import()`. */
const LIMIT = 15_000;

/**
 * A part of the client that is loaded on demand.
 *
 * @throws {TidingsError} `client/network`: it can't be loaded, as after a deployment that removed it, or not in time.
 */
export async function loadPart<T>(timers: Timers, part: Promise<T>): Promise<T> {
  const failed = (cause?: unknown): TidingsError =>
    new TidingsError('client/network', 'A part of the client could not be loaded.', { cause });
  try {
    return await within(timers, LIMIT, part, failed, new AbortController().signal);
  } catch (cause) {
    throw cause instanceof TidingsError ? cause : failed(cause);
  }
}
