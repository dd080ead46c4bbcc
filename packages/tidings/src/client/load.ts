import { TidingsError } from '../protocol/tidings-error.ts';
import { within } from './deadline.ts';
import type { LoadRequest, Settings } from './options.ts';

/** Milliseconds that the app may take. */
const LIMIT = 60_000;

/** Lets the app load its state. @returns the cursor at which that is true. @throws {TidingsError} `client/load-failed` */
export async function loadCursor({ load, timers }: Settings, request: LoadRequest): Promise<string> {
  const loading = (async () => load?.(request))();
  const late = (): Error => new Error(`It took longer than ${LIMIT} ms.`);
  let cursor: unknown;
  try {
    cursor = await within(timers, LIMIT, loading, late, request.signal);
  } catch (cause) {
    throw new TidingsError('client/load-failed', '`load` failed.', { cause });
  }
  if (typeof cursor === 'string' && cursor !== '') return cursor;
  const message =
    'Expected `load` to return the cursor at which what it loaded is true, as `hub.cursor()` gives it.';
  throw new TidingsError('client/load-failed', message);
}

/** For a cursor from which nothing can be resumed although it is new. */
export function staleLoad(gaps: LoadRequest['gaps']): TidingsError {
  const message = 'The cursor that `load` returned is too old to go on from: is its answer from a cache?';
  return new TidingsError('client/load-failed', message, { details: { gaps } });
}
