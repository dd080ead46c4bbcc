import {
  type Checks,
  aBoolean,
  aFunction,
  aNumber,
  aString,
  assertNoPromise,
  describe,
  either,
  invalidOption,
} from '../protocol/options.ts';
import type { CorsOptions } from './handler-options.ts';

/** The headers that our client, and clients like it, send. */
const OUR_HEADERS = ['Authorization', 'Cache-Control', 'Content-Type', 'Last-Event-ID'];

/** https://fetch.spec.whatwg.org/#http-cors-protocol */
export function corsHeaders(
  options: CorsOptions | undefined,
  origin: string | undefined,
): Record<string, string> {
  if (options === undefined) return {};
  const allowed = allowedOrigin(options, origin);
  // Even an answer without permission depends on the request's origin.
  const headers: Record<string, string> = options.origin === '*' ? {} : { vary: 'Origin' };
  if (allowed === undefined) return headers;
  headers['access-control-allow-origin'] = allowed;
  headers['access-control-expose-headers'] = 'Retry-After';
  if (options.credentials === true) headers['access-control-allow-credentials'] = 'true';
  return headers;
}

export function preflightHeaders(
  options: CorsOptions | undefined,
  origin: string | undefined,
): Record<string, string> {
  if (options === undefined || allowedOrigin(options, origin) === undefined) return {};
  return {
    'access-control-allow-methods': 'GET, HEAD, POST',
    'access-control-allow-headers': [...OUR_HEADERS, ...(options.headers ?? [])].join(', '),
    'access-control-max-age': String(options.maxAge ?? 600),
  };
}

const aList = { expected: 'a list of strings', accepts: isListOfStrings } as const;

export const CORS_OPTIONS: Checks<CorsOptions> = {
  origin: either(aString, aList, aFunction),
  credentials: aBoolean,
  headers: aList,
  maxAge: aNumber({ min: 0, integer: true }),
};

/** The checks that `CORS_OPTIONS` can't express. @throws {TidingsError} `hub/invalid-option`. */
export function assertCors({ origin, credentials = false, headers = [] }: CorsOptions): void {
  if (origin === '*' && credentials) {
    throw invalidOption(
      'cors.credentials',
      '`cors.credentials` needs origins by name instead of "*": browsers insist.',
    );
  }
  for (const name of headers) {
    if (/^[!#$%&'*+.^_`|~\w-]+$/.test(name)) continue;
    throw invalidOption('cors.headers', `Expected \`cors.headers\` to name headers, got ${describe(name)}.`);
  }
  if (origin === '*' || typeof origin === 'function') return;
  for (const each of typeof origin === 'string' ? [origin] : (origin ?? [undefined])) {
    if (typeof each === 'string' && URL.canParse(each) && new URL(each).origin === each) continue;
    throw invalidOption(
      'cors.origin',
      `Expected \`cors.origin\` to name origins such as "https://example.com", got ${describe(each)}.`,
    );
  }
}

function isListOfStrings(value: unknown): boolean {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}

export function allowedOrigin(
  { origin: allowed }: CorsOptions,
  origin: string | undefined,
): string | undefined {
  if (allowed === '*') return '*';
  if (origin === undefined) return undefined;
  if (typeof allowed === 'function') {
    const answer: unknown = allowed(origin);
    // A promise is truthy: it would let every origin in.
    assertNoPromise('cors.origin', answer);
    return answer === true ? origin : undefined;
  }
  const origins = typeof allowed === 'string' ? [allowed] : allowed;
  return origins.includes(origin) ? origin : undefined;
}
