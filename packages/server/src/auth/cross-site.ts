import { forbidden } from 'tidings';
import type { AuthRequest } from './credential.ts';

/**
 * Refuses a request with a cookie that a page of another site had the browser send: nobody but the user's own pages, and
 * those of the origins in `allowed`, may act in the user's name.
 *
 * @throws {TidingsError} `auth/forbidden` (403).
 */
export function assertOwnSite({ header, method }: AuthRequest, allowed: (origin: string) => boolean): void {
  const origin = header('origin');
  const site = header('sec-fetch-site');
  if (site === 'same-origin' || site === 'none') return;
  if (origin !== undefined && allowed(origin)) return;
  if (site === undefined && (origin === undefined || isOwn(origin, header))) return;
  // A link from elsewhere, which changes nothing and whose answer that page can't read.
  if (origin === undefined && (method === 'GET' || method === 'HEAD')) return;
  throw forbidden(`Pages of ${origin ?? 'another site'} may not use the user’s cookie here.`);
}

/** For browsers that don't send `Sec-Fetch-Site`, or not over plain HTTP. */
function isOwn(origin: string, header: AuthRequest['header']): boolean {
  if (!URL.canParse(origin)) return false;
  // The second header comes from a proxy in front; no page can set it without a preflight.
  return [header('host'), header('x-forwarded-host')].includes(new URL(origin).host);
}
