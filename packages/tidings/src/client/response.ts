import type { ErrorCode } from '../protocol/errors.ts';
import { TidingsError } from '../protocol/tidings-error.ts';
import type { Input } from './machine.ts';
import type { Problem } from './problem.ts';
import type { FetchResponse } from './web.ts';

/** What the client wants to know of a response before it reads a stream from it. */
export interface ResponseFacts {
  readonly status: number;
  readonly contentType: string | null;
  readonly retryAfter: string | null;
  /** All of them, by lower-case name. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly problem?: Problem;
}

export function factsOf({ status, headers }: FetchResponse): ResponseFacts {
  const all: Record<string, string> = {};
  headers.forEach((value, name) => (all[name] = value));
  return {
    status,
    contentType: headers.get('content-type'),
    retryAfter: headers.get('retry-after'),
    headers: all,
  };
}

/** `refused`: trying again would change nothing. `dropped`: it may. */
export type Failure = Extract<Input, { readonly type: 'refused' | 'dropped' }>;

/** Passing by nature, though they are 4xx: request timeout, too early, too many requests. */
const TEMPORARY: readonly number[] = [408, 425, 429];

/**
 * What a response means for the connection. Redirects are followed by `fetch`, so none arrives here.
 *
 * @param now milliseconds since 1970, for a `Retry-After` that is a date.
 */
export function judgeResponse(facts: ResponseFacts, now: number): Input | 'accepted' {
  const { status, contentType } = facts;
  // "Clients will reconnect if the connection is closed; a client can be told to stop reconnecting using the HTTP
  // 204 No Content response code." https://html.spec.whatwg.org/multipage/server-sent-events.html
  if (status === 204) return { type: 'ended' };
  if (status === 200) {
    return isEventStream(contentType) ? 'accepted' : { type: 'refused', error: wrongType(facts) };
  }
  return judgeFailure(facts, now);
}

/** What a server's no means, whatever was asked. */
export function judgeFailure(facts: ResponseFacts, now: number): Failure {
  const error = toError(facts);
  if (facts.status < 500 && !TEMPORARY.includes(facts.status)) return { type: 'refused', error };
  return { type: 'dropped', error, retryAfter: parseRetryAfter(facts.retryAfter, now) };
}

export function isEventStream(contentType: string | null): boolean {
  return contentType !== null && /^\s*text\/event-stream\s*(;|$)/i.test(contentType);
}

function wrongType({ contentType, headers = {} }: ResponseFacts): TidingsError {
  const got = contentType === null ? 'no content type' : `"${contentType}"`;
  return new TidingsError(
    'client/content-type',
    `Expected "text/event-stream", got ${got}. Does the URL serve events, or was this a login or error page?`,
    { status: 200, details: { contentType, headers } },
  );
}

function toError({ status, problem, headers = {} }: ResponseFacts): TidingsError {
  const [code, advice] = explain(status);
  const said = problem?.detail === undefined ? '' : ` The server says: ${problem.detail}`;
  return new TidingsError(code, `${advice}${said}`, {
    status,
    details: { ...problem, headers },
  });
}

function explain(status: number): [ErrorCode, string] {
  if (status === 401)
    return ['auth/unauthorized', 'The server wants credentials (401): sign in, then connect again.'];
  if (status === 403) {
    return ['auth/forbidden', 'The server refuses these topics to these credentials (403): ask for others.'];
  }
  if (status === 404 || status === 410)
    return ['client/http-status', `Nothing at this URL (${status}): check it.`];
  if (status === 429) return ['client/http-status', 'Too many requests or connections (429).'];
  if (status >= 500) return ['client/http-status', `The server cannot answer at the moment (${status}).`];
  return [
    'client/http-status',
    `The server did not accept the request (${status}): check URL, topics and headers.`,
  ];
}

/**
 * Milliseconds; undefined for what is neither whole seconds nor an HTTP date, and for no header.
 * https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
 */
export function parseRetryAfter(value: string | null, now: number): number | undefined {
  if (value === null) return undefined;
  if (/^\s*[0-9]+\s*$/.test(value)) return Number(value) * 1_000;
  // Date.parse alone takes nearly anything for a date.
  const date = /GMT\s*$/.test(value) ? Date.parse(value) : NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
