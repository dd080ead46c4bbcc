import type { ErrorCode } from '../protocol/errors.ts';
import { TidingsError } from '../protocol/tidings-error.ts';
import { isEventStream } from './headers.ts';
import type { Input } from './machine.ts';
import type { Problem } from './problem.ts';
import type { FetchResponse } from './web.ts';

/** `refused`: trying again would change nothing. `dropped`: it may. */
export type Failure = Extract<Input, { readonly type: 'refused' | 'dropped' }>;

/** Temporary, though they are 4xx: request timeout, too early, too many requests. */
const TEMPORARY: readonly number[] = [408, 425, 429];

const CODES: Readonly<Record<number, ErrorCode>> = {
  200: 'client/content-type',
  401: 'auth/unauthorized',
  403: 'auth/forbidden',
};

/** Redirects are followed by `fetch`, so none arrives here. */
export const opensStream = ({ status, headers }: Pick<FetchResponse, 'status' | 'headers'>): boolean =>
  status === 200 && isEventStream(headers);

/**
 * Decides what a response that is no stream means for the connection.
 *
 * @param now milliseconds since 1970, for a `Retry-After` that is a date.
 */
export function judgeResponse(response: FetchResponse, now: number, problem?: Problem): Input {
  // "Clients will reconnect if the connection is closed; a client can be told to stop reconnecting using the HTTP
  // 204 No Content response code." https://html.spec.whatwg.org/multipage/server-sent-events.html
  return response.status === 204 ? { type: 'ended' } : judgeFailure(response, now, problem);
}

/** Decides what a server's refusal means, for any request. */
export function judgeFailure(response: FetchResponse, now: number, problem: Problem = {}): Failure {
  const { status, headers } = response;
  const all: Record<string, string> = {};
  headers.forEach((value, name) => (all[name] = value));
  const contentType = headers.get('content-type');
  const wanted =
    status === 200 ? `text/event-stream, got ${contentType ?? 'no type'}` : `status 200, got ${status}`;
  const said = problem.detail === undefined ? '' : ` The server says: ${problem.detail}`;
  const error = new TidingsError(CODES[status] ?? 'client/http-status', `Expected ${wanted}.${said}`, {
    status,
    details: { ...problem, contentType, headers: all },
  });
  if (status < 500 && !TEMPORARY.includes(status)) return { type: 'refused', error };
  // The two clocks may differ, so the server's date counts from the server's time, where that can be read.
  const sent = Date.parse(headers.get('date') ?? '') || now;
  return { type: 'dropped', error, retryAfter: parseRetryAfter(headers.get('retry-after'), sent) };
}

/**
 * Milliseconds; undefined without the header, and for anything but whole seconds or an HTTP date.
 * https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
 */
export function parseRetryAfter(value: string | null, now: number): number | undefined {
  if (value === null) return undefined;
  if (/^\s*\d+\s*$/.test(value)) return Number(value) * 1_000;
  // Date.parse alone accepts nearly anything as a date.
  const date = /GMT\s*$/.test(value) ? Date.parse(value) : NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
