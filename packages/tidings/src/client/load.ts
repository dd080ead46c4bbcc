import { TidingsError } from '../protocol/tidings-error.ts';
import type { LoadRequest } from './options.ts';
import type { Settings } from './settings.ts';
import { askApp } from './request.ts';

/** Milliseconds that the app may take. */
const LIMIT = 60_000;

/** Lets the app load its state. @returns the cursor at which that is true. @throws {TidingsError} `client/load-failed` */
export async function loadCursor(settings: Settings, request: LoadRequest): Promise<string> {
  const load = (): unknown => settings.load?.(request);
  const cursor = await askApp(settings, 'load', load, request.signal, 'client/load-failed', LIMIT);
  if (typeof cursor === 'string' && cursor !== '') return cursor;
  throw new TidingsError(
    'client/load-failed',
    'Expected `load` to return a cursor, as `hub.cursor()` gives it.',
  );
}

/** The error for a cursor that can't be resumed from although it is new. */
export function staleLoad(gaps: LoadRequest['gaps']): TidingsError {
  const message = 'The cursor that `load` returned is too old to go on from: is its answer from a cache?';
  return new TidingsError('client/load-failed', message, { details: { gaps } });
}
