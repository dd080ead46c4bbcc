import { titleOf } from '../protocol/errors.ts';
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
  if (status === 401) headers['www-authenticate'] = 'Bearer';
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
