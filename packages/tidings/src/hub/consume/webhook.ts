import { createError } from '../../protocol/errors.ts';
import {
  type Checks,
  aFunction,
  aNumber,
  aString,
  anObjectWith,
  assertOptions,
  either,
  invalidOption,
} from '../../protocol/options.ts';
import type { ConsumeHandler, ConsumedEvent } from './options.ts';

export interface WebhookOptions {
  readonly url: string;
  /**
   * Signs each request, and the receiver knows that it is yours: 24 bytes or more of text, or `whsec_` and base64. While you
   * replace a secret, give both: each signs, and the receiver accepts either.
   */
  readonly secret: string | readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
  /** The value to send as JSON; undefined if this event needs no request. Default: the event. */
  readonly body?: (event: ConsumedEvent) => unknown;
  /** Milliseconds until a request without an answer counts as failed. Default 10,000. */
  readonly timeout?: number;
  /** Default: the global one. */
  readonly fetch?: (url: string, request: RequestInit) => Promise<Response>;
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number;
}

export const WEBHOOK_OPTIONS: Checks<WebhookOptions> = {
  url: aString,
  secret: either(aString, { expected: 'a list of them', accepts: isListOfTexts }),
  headers: anObjectWith('an object of headers'),
  body: aFunction,
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
  const { body: toValue = valueOf } = options;
  if (!URL.canParse(url) || !/^https?:/.test(url))
    throw invalidOption('url', 'A webhook needs a `url` that begins with http:// or https://.');
  const keys = Promise.all(
    [secret].flat().map((each) => {
      const hmac = { name: 'HMAC', hash: 'SHA-256' };
      return crypto.subtle.importKey('raw', secretBytes(each), hmac, false, ['sign']);
    }),
  );

  return async (event, { signal }) => {
    const value = toValue(event);
    if (value === undefined) return;
    const body = JSON.stringify(value);
    const id = event.cursor ?? `${event.seq}`;
    const timestamp = String(Math.floor(now() / 1000));
    const signed = new TextEncoder().encode(`${id}.${timestamp}.${body}`);
    const signatures = await Promise.all(
      (await keys).map(async (key) => `v1,${toBase64(await crypto.subtle.sign('HMAC', key, signed))}`),
    );
    const response = await fetch(url, {
      method: 'POST',
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeout)]),
      headers: {
        ...headers,
        'content-type': 'application/json',
        'webhook-id': id,
        'webhook-timestamp': timestamp,
        'webhook-signature': signatures.join(' '),
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

/** The body of a delivery; `data` is JSON where the event's data is. */
function valueOf({ topics, type, data, key, tombstone, time, cursor }: ConsumedEvent): unknown {
  return { topics, type, time, cursor, key, tombstone, data: parse(data) };
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

function toBase64(bytes: ArrayBuffer): string {
  return btoa(String.fromCharCode(...new Uint8Array(bytes)));
}

function isListOfTexts(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.every((text) => aString.accepts(text));
}
