import type { ErrorCode } from '../protocol/errors.ts';
import { TidingsError } from '../protocol/tidings-error.ts';
import { within } from './deadline.ts';
import type { Settings } from './settings.ts';
import type { FetchInit } from './web.ts';

/** Calls a function of the app, and waits for its answer no longer than `limit` milliseconds. @throws {TidingsError} */
export function askApp<T>(
  { timers, timeouts }: Settings,
  name: string,
  call: () => T | Promise<T>,
  signal: AbortSignal,
  code: ErrorCode = 'client/hook-failed',
  limit: number = timeouts.hooks,
): Promise<T> {
  const failed = (problem: string, cause?: unknown): TidingsError =>
    new TidingsError(code, `\`${name}\` ${problem}.`, { cause, details: { hook: name } });
  const answer = (async () => call())().catch((cause: unknown) => {
    throw failed('failed', cause);
  });
  return within(timers, limit, answer, () => failed(`did not answer within ${limit} ms`), signal);
}

/** The app's headers, and over them the client's own. @throws {TidingsError} `client/headers-failed` */
export function requestHeaders(
  settings: Settings,
  own: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Headers> {
  const make = async (): Promise<Headers> => {
    const headers = new Headers((await settings.headers()) as never);
    for (const [name, value] of Object.entries(own)) headers.set(name, value);
    return headers;
  };
  return askApp(settings, 'headers', make, signal, 'client/headers-failed');
}

export function requestInit(
  { credentials }: Settings,
  method: string,
  headers: Headers,
  body: unknown,
  signal: AbortSignal,
): FetchInit {
  return {
    method,
    headers,
    // The cache mode of EventSource: "set request's cache mode to "no-store"".
    cache: 'no-store',
    signal,
    ...(credentials && { credentials }),
    ...(body !== undefined && { body }),
    ...(isStream(body) && { duplex: 'half' }),
  };
}

/** Node and browsers send a stream only with `duplex`: https://fetch.spec.whatwg.org/#enumdef-requestduplex */
export function isStream(body: unknown): boolean {
  return typeof (body as { getReader?: unknown } | null | undefined)?.getReader === 'function';
}
