import { TidingsError } from '../protocol/tidings-error.ts';
import type { Settings } from './options.ts';

/** The app's headers, and over them the client's own. @throws {TidingsError} `client/headers-failed` */
export async function requestHeaders(
  settings: Settings,
  own: Readonly<Record<string, string>>,
): Promise<Headers> {
  try {
    const headers = new Headers(await settings.headers());
    for (const [name, value] of Object.entries(own)) headers.set(name, value);
    return headers;
  } catch (cause) {
    throw new TidingsError('client/headers-failed', 'The headers for the request could not be made.', {
      cause,
    });
  }
}

export function requestInit(settings: Settings, headers: Headers, signal: AbortSignal): RequestInit {
  const { credentials } = settings;
  // The cache mode of EventSource: "set request's cache mode to "no-store"".
  return { headers, cache: 'no-store', signal, ...(credentials && { credentials }) };
}
