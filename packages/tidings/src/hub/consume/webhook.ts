import { createError } from '../../protocol/errors.ts';
import {
  type Checks,
  aFunction,
  aNumber,
  aString,
  anObjectWith,
  assertOptions,
  invalidOption,
} from '../../protocol/options.ts';
import type { ConsumeHandler, ConsumedEvent } from './options.ts';

export interface WebhookOptions {
  readonly url: string;
  /** Signs each request, so that the receiver knows it is yours: 24 bytes or more of text, or `whsec_` and base64. */
  readonly secret: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Milliseconds until a request without an answer counts as failed. Default 10,000. */
  readonly timeout?: number;
  /** Default: the global one. */
  readonly fetch?: (url: string, request: RequestInit) => Promise<Response>;
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number;
}

export const WEBHOOK_OPTIONS: Checks<WebhookOptions> = {
  url: aString,
  secret: aString,
  headers: anObjectWith('an object of headers'),
  timeout: aNumber({ min: 1, finite: true }),
  fetch: aFunction,
  now: aFunction,
};

const MIN_SECRET = 24;

/**
 * A handler for `hub.consume` that POSTs each event to a URL, signed as https://www.standardwebhooks.com says. Any answer
 * but 2xx is a failure: the consumer tries again. Redirects aren't followed.
 *
 * @throws {TidingsError} `hub/invalid-option`. The handler rejects with `webhook/failed`.
 */
export function webhook(options: WebhookOptions): ConsumeHandler {
  assertOptions(options, WEBHOOK_OPTIONS);
  const { url, secret, headers = {}, timeout = 10_000, now = Date.now, fetch = globalThis.fetch } = options;
  if (!URL.canParse(url) || !/^https?:/.test(url))
    throw invalidOption('url', 'A webhook needs a `url` that begins with http:// or https://.');
  const bytes = secretBytes(secret);
  const key = crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);

  return async (event, { signal }) => {
    const body = bodyOf(event);
    const id = event.cursor ?? `${event.seq}`;
    const timestamp = String(Math.floor(now() / 1000));
    const signed = new TextEncoder().encode(`${id}.${timestamp}.${body}`);
    const signature = toBase64(new Uint8Array(await crypto.subtle.sign('HMAC', await key, signed)));
    const response = await fetch(url, {
      method: 'POST',
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeout)]),
      headers: {
        ...headers,
        'content-type': 'application/json',
        'webhook-id': id,
        'webhook-timestamp': timestamp,
        'webhook-signature': `v1,${signature}`,
      },
      body,
    }).catch((cause: unknown) => {
      throw createError('webhook/failed', `${url} can't be reached.`, { details: { url }, cause });
    });
    await response.body?.cancel();
    if (response.ok) return;
    const message = `${url} answered ${response.status}.`;
    throw createError('webhook/failed', message, { details: { url, status: response.status } });
  };
}

/** What is sent; `data` is JSON where the event's data is. */
function bodyOf({ topics, type, data, key, tombstone, time, cursor }: ConsumedEvent): string {
  return JSON.stringify({ topics, type, time, cursor, key, tombstone, data: parse(data) });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // A raw event.
    return text;
  }
}

function secretBytes(secret: string): Uint8Array<ArrayBuffer> {
  const bytes = secret.startsWith('whsec_')
    ? Uint8Array.from(atob(secret.slice('whsec_'.length)), (character) => character.charCodeAt(0))
    : new TextEncoder().encode(secret);
  if (bytes.length < MIN_SECRET)
    throw invalidOption(
      'secret',
      `Expected \`secret\` to have ${MIN_SECRET} bytes or more, got ${bytes.length}.`,
    );
  return bytes;
}

function toBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}
