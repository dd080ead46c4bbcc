import { TidingsError } from '../protocol/tidings-error.ts';
import { within } from './deadline.ts';
import type { Settings } from './options.ts';
import type { FetchInit } from './web.ts';

/** Calls a function of the app. @throws {TidingsError} `client/headers-failed`, `client/hook-failed` */
export function askApp<T>(
  { timers, timeouts }: Settings,
  name: string,
  call: () => T | Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const failed = (cause?: unknown): TidingsError => {
    const problem = cause === undefined ? `did not answer within ${timeouts.hooks} ms` : 'failed';
    const code = name === 'headers' ? 'client/headers-failed' : 'client/hook-failed';
    return new TidingsError(code, `\`${name}\` ${problem}.`, { cause, details: { hook: name } });
  };
  const answer = (async () => {
    try {
      return await call();
    } catch (cause) {
      throw failed(cause ?? new Error('It threw nothing.'));
    }
  })();
  return within(timers, timeouts.hooks, answer, failed, signal);
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
  return askApp(settings, 'headers', make, signal);
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
    // Node and browsers send a stream only with this: https://fetch.spec.whatwg.org/#enumdef-requestduplex
    ...(typeof (body as { getReader?: unknown } | null | undefined)?.getReader === 'function' && {
      duplex: 'half',
    }),
  };
}
