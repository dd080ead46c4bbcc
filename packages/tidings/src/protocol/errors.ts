import { TidingsError, type TidingsErrorOptions } from './tidings-error.ts';

/**
 * Every failure the library reports carries one of these codes. They are stable: match on `code`, never on
 * `message`. `docs/errors.md` explains each, and a test keeps that page complete.
 *
 * The table gives each code the HTTP status of a request that fails with it. Null means that the error never answers
 * a request, or that the caller isn't to blame and the app answers 500.
 */
const STATUS_OF = {
  'auth/expired': 401,
  'auth/forbidden': 403,
  'auth/invalid-request': 400,
  'auth/invalid-token': 401,
  'auth/revoked': 401,
  'auth/unauthorized': 401,
  'auth/unavailable': 503,
  'client/attempts-exhausted': null,
  'client/closed': null,
  'client/content-type': null,
  'client/headers-failed': null,
  'client/hook-failed': null,
  'client/http-status': null,
  'client/invalid-option': null,
  'client/load-failed': null,
  'client/network': null,
  'client/silent': null,
  'client/unreadable': null,
  'config/address': null,
  'config/insecure': null,
  'config/invalid': null,
  'config/unknown': null,
  'config/unreadable': null,
  'connection/unknown': 404,
  'consumer/gap': null,
  'consumer/skipped': null,
  'cursor/invalid': null,
  'decode/event-too-large': null,
  'event/conflict': 409,
  'event/invalid-data': 400,
  'event/invalid-id': 400,
  'event/invalid-key': 400,
  'event/invalid-option': 400,
  'event/invalid-type': 400,
  'event/too-large': 413,
  'event/too-many-topics': 400,
  'event/undeclared': 400,
  'hub/invalid-option': null,
  'hub/unavailable': 503,
  'limit/connections': 429,
  'limit/rate': 429,
  'limit/runs': 429,
  'limit/topics': 400,
  'log/closed': 503,
  'log/in-use': 503,
  'log/unavailable': 503,
  'log/write-failed': 503,
  'package/missing': null,
  'request/already-answered': null,
  'request/body-already-read': 500,
  'request/body-too-large': 413,
  'request/handler-failed': 500,
  'request/headers-too-large': 431,
  'request/idempotency-key-reused': 422,
  'request/invalid-body': 400,
  'request/invalid-idempotency-key': 400,
  'request/invalid-query': 400,
  'request/method-not-allowed': 405,
  'request/no-socket': null,
  'request/not-acceptable': 406,
  'request/not-found': 404,
  'request/timeout': 408,
  'request/too-many-events': 413,
  'request/unsupported-media-type': 415,
  'run/failed': null,
  'run/invalid-name': 400,
  'run/lost': null,
  'run/too-large': null,
  'run/too-long': null,
  'topic/invalid': 400,
  'topic/invalid-pattern': 400,
  'topic/missing': 400,
  'topic/reserved': 400,
  'topic/too-long': 400,
  'webhook/failed': null,
} as const;

export type ErrorCode = keyof typeof STATUS_OF;

export const errorCodes: readonly ErrorCode[] = /* @__PURE__ */ Object.keys(STATUS_OF) as ErrorCode[];

/** Reason phrases: https://www.rfc-editor.org/rfc/rfc9110#section-15 */
const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  408: 'Request Timeout',
  409: 'Conflict',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  422: 'Unprocessable Content',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};

/** The title of an HTTP answer with this status. */
export function titleOf(status: number): string {
  return TITLES[status] ?? 'Error';
}

/**
 * Errors of another copy of the package count as well: bundlers load this module once for each bundle, and a hub of one of
 * them throws into another. It isn't in the class, since in a browser it would be bytes for nothing.
 */
Object.defineProperty(TidingsError, Symbol.hasInstance, {
  value: (error: unknown) => (error as Error | null | undefined)?.name === 'TidingsError',
});

/** An error with the status that the table gives for its code. */
export function createError(
  code: ErrorCode,
  message: string,
  options: Omit<TidingsErrorOptions, 'status'> = {},
): TidingsError {
  const status = STATUS_OF[code];
  return new TidingsError(code, message, status === null ? options : { ...options, status });
}

/** 401: no valid credentials came with the request. Throw it from `authorize`. */
export function unauthorized(detail = 'Sign in, then connect again.'): TidingsError {
  return createError('auth/unauthorized', detail);
}

/** 403: known, but not allowed. Throw it from `authorize`. */
export function forbidden(detail = 'You may not read these topics.'): TidingsError {
  return createError('auth/forbidden', detail);
}

/** 429 with `Retry-After` in whole seconds. Throw it from `topics` or `authorize`. */
export function tooManyRequests(detail: string, retryAfterSeconds: number): TidingsError {
  return createError('limit/rate', detail, {
    details: { retryAfter: Math.max(1, Math.ceil(retryAfterSeconds) || 1) },
  });
}
