import { createError } from '../protocol/errors.ts';
import { allowedOrigin } from './cors.ts';
import type { CorsOptions } from './handler-options.ts';
import type { RequestFacts } from './negotiation.ts';

/**
 * Refuses a POST that a page of another origin could have had a browser send with the user's cookies: a form, or a
 * `fetch` that needs no preflight.
 *
 * @throws {TidingsError} `request/unsupported-media-type` (415), `auth/forbidden` (403).
 */
export function assertMayPost(
  cors: CorsOptions | undefined,
  { header, allowedOrigin: permitted }: Pick<RequestFacts, 'header' | 'allowedOrigin'>,
): void {
  const type = header('content-type')?.split(';', 1)[0]?.trim().toLowerCase();
  if (type !== 'application/json') {
    throw createError('request/unsupported-media-type', 'Send the change as `application/json`.');
  }
  const origin = header('origin');
  const site = header('sec-fetch-site');
  if (origin === undefined && site === undefined) return;
  if (site === 'same-origin' || site === 'none') return;
  if (site === undefined && isOwn(origin, header)) return;
  if (cors !== undefined && origin !== undefined && allowedOrigin(cors, origin) !== undefined) return;
  const byMiddleware = permitted?.();
  if (origin !== undefined && (byMiddleware === origin || byMiddleware === '*')) return;
  throw createError(
    'auth/forbidden',
    `Pages of ${origin ?? 'another origin'} may not change connections here; \`cors\` names those that may.`,
  );
}

/** For browsers that don't send `Sec-Fetch-Site`, or not over plain HTTP. */
function isOwn(origin: string | undefined, header: RequestFacts['header']): boolean {
  if (origin === undefined || !URL.canParse(origin)) return false;
  // The second header comes from a proxy in front; no page can set it without a preflight.
  const hosts = [header('host'), header('x-forwarded-host')];
  return hosts.includes(new URL(origin).host);
}
