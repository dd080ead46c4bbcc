import { type ErrorCode, titleOf } from '../protocol/errors.ts';
import type { TidingsError } from '../protocol/tidings-error.ts';

export const ALLOW = 'GET, HEAD, POST, OPTIONS';

/** An error as problem details (RFC 9457), with `code` and the error's details as further members. */
export function toProblem(error: TidingsError): {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
} {
  const status = error.status ?? 500;
  const headers: Record<string, string> = {
    'content-type': 'application/problem+json; charset=utf-8',
    'cache-control': 'no-store',
  };
  const { retryAfter } = error.details;
  if (typeof retryAfter === 'number') headers['retry-after'] = String(retryAfter);
  const challenge = challengeOf(error);
  if (challenge !== undefined) headers['www-authenticate'] = challenge;
  if (status === 405) headers['allow'] = ALLOW;
  const body = JSON.stringify({
    ...error.details,
    type: 'about:blank',
    title: titleOf(status),
    status,
    detail: error.message,
    code: error.code,
  });
  return { status, headers, body };
}

/** The problem with the credentials: https://www.rfc-editor.org/rfc/rfc6750#section-3.1 */
const CHALLENGES: Readonly<Partial<Record<ErrorCode, string>>> = {
  'auth/expired': 'invalid_token',
  'auth/forbidden': 'insufficient_scope',
  'auth/invalid-request': 'invalid_request',
  'auth/invalid-token': 'invalid_token',
  'auth/revoked': 'invalid_token',
};

function challengeOf({ code, status, details }: TidingsError): string | undefined {
  const error = CHALLENGES[code];
  if (error === undefined) return status === 401 ? 'Bearer' : undefined;
  // Without topics it isn't about what the credentials cover: the request came from a page of another origin.
  if (code === 'auth/forbidden' && details['topics'] === undefined) return undefined;
  return `Bearer error="${error}"`;
}
