/**
 * Every failure the library reports carries one of these codes. They are stable: match on `code`, never on
 * `message`. `docs/errors.md` explains each, and a test keeps that page complete.
 */
export const errorCodes = [
  'auth/expired',
  'auth/forbidden',
  'auth/unauthorized',
  'client/attempts-exhausted',
  'client/closed',
  'client/content-type',
  'client/headers-failed',
  'client/http-status',
  'client/invalid-option',
  'client/network',
  'client/silent',
  'connection/unknown',
  'cursor/invalid',
  'decode/event-too-large',
  'event/invalid-data',
  'event/invalid-id',
  'event/invalid-key',
  'event/invalid-option',
  'event/invalid-type',
  'event/too-large',
  'event/too-many-topics',
  'hub/invalid-option',
  'hub/unavailable',
  'limit/connections',
  'limit/rate',
  'limit/topics',
  'log/closed',
  'log/in-use',
  'log/unavailable',
  'log/write-failed',
  'package/missing',
  'request/already-answered',
  'request/body-too-large',
  'request/handler-failed',
  'request/invalid-body',
  'request/method-not-allowed',
  'request/not-acceptable',
  'request/timeout',
  'topic/invalid',
  'topic/invalid-pattern',
  'topic/missing',
  'topic/reserved',
  'topic/too-long',
] as const;

export type ErrorCode = (typeof errorCodes)[number];

export interface TidingsErrorOptions {
  /** The HTTP status that answers a request which failed like this. Absent: not the caller's doing (500). */
  readonly status?: number;
  /** Facts for programs, merged into the problem details of an HTTP answer: no secrets here. */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** The one error class of the library. */
export class TidingsError extends Error {
  override readonly name = 'TidingsError';
  readonly code: ErrorCode;
  readonly status: number | undefined;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: TidingsErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.status = options.status;
    this.details = options.details ?? {};
  }
}

/** 401: no valid credentials came with the request. Throw it from `authorize`. */
export function unauthorized(detail = 'Sign in, then connect again.'): TidingsError {
  return new TidingsError('auth/unauthorized', detail, { status: 401 });
}

/** 403: known, but not allowed. Throw it from `authorize`. */
export function forbidden(detail = 'You may not read these topics.'): TidingsError {
  return new TidingsError('auth/forbidden', detail, { status: 403 });
}

/** 429 with `Retry-After` in whole seconds. Throw it from `topics` or `authorize`. */
export function tooManyRequests(detail: string, retryAfterSeconds: number): TidingsError {
  return new TidingsError('limit/rate', detail, {
    status: 429,
    details: { retryAfter: Math.max(1, Math.ceil(retryAfterSeconds) || 1) },
  });
}
