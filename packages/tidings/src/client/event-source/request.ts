import { toHeaderValue } from '../headers.ts';
import type { EventSourceOptions, EventSourceRequest } from './types.ts';

/** The request's URL, and the headers that the URL itself implies. */
export interface Target {
  /** The URL as the standard serializes it, for the `url` attribute. */
  readonly href: string;
  /** Without user and password, which `fetch` refuses. */
  readonly address: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** @throws {DOMException} `SyntaxError` */
export function resolveTarget(url: string): Target {
  const { document, location } = globalThis as {
    document?: { baseURI: string };
    location?: { href: string };
  };
  let parsed: URL;
  try {
    // "encoding-parsing a URL given url, relative to settings"
    parsed = new URL(url, document?.baseURI ?? location?.href);
  } catch {
    // "If urlRecord is failure, then throw a "SyntaxError" DOMException."
    throw new DOMException(`"${url}" is not an absolute URL.`, 'SyntaxError');
  }
  const { href, username, password } = parsed;
  // A potential-CORS request has its "use-URL-credentials flag set".
  // https://html.spec.whatwg.org/multipage/urls-and-fetching.html#create-a-potential-cors-request
  parsed.username = '';
  parsed.password = '';
  const user = `${username}:${password}`.replaceAll(/%(..)/g, (_, hex) =>
    String.fromCharCode(Number(`0x${hex}`)),
  );
  return {
    href,
    address: parsed.href,
    headers: user === ':' ? {} : { authorization: `Basic ${btoa(user)}` },
  };
}

/** @param address where a redirect led the request before, or the target's own. */
export async function buildRequest(
  target: Target,
  address: string,
  options: EventSourceOptions,
  lastEventId: string,
  signal: AbortSignal,
): Promise<EventSourceRequest> {
  const { method, withCredentials } = options;
  const body = await valueOf(options.body);
  const headers: Record<string, string> = {
    // "User agents may set (`Accept`, `text/event-stream`) in request's header list."
    accept: 'text/event-stream',
    ...target.headers,
    // Names in lower case, and values that HTTP allows.
    ...Object.fromEntries(new Headers((await valueOf(options.headers)) as HeadersInit)),
  };
  // "If request's current URL's origin is not same origin with locationURL's origin, then … remove headerName from
  // request's header list": `Authorization`. https://fetch.spec.whatwg.org/#http-redirect-fetch
  if (new URL(address).origin !== new URL(target.address).origin) delete headers['authorization'];
  // "If the EventSource object's last event ID string is not the empty string, then: Let lastEventIDValue be the
  // EventSource object's last event ID string, encoded as UTF-8."
  const id = toHeaderValue(lastEventId);
  if (id !== '') headers['last-event-id'] = id;
  return {
    headers,
    // "Set request's cache mode to "no-store"."
    cache: 'no-store',
    signal,
    // Absent otherwise, because some runtimes refuse the name: `fetch` itself defaults to `same-origin`.
    ...(withCredentials && { credentials: 'include' }),
    ...(method !== undefined && { method }),
    ...(body !== undefined && { body }),
  };
}

function valueOf<T>(value: T | (() => T | Promise<T>) | undefined): T | undefined | Promise<T> {
  return typeof value === 'function' ? (value as () => T | Promise<T>)() : value;
}
