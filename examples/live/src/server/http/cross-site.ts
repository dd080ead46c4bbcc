import type { Request, RequestHandler } from 'express';
import { HttpProblem } from './problem.ts';

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Refuses requests that change something and that a browser sends on behalf of another site. The session cookie
 * is SameSite=Lax already; this also covers other origins of the same site, and browsers that ignore SameSite.
 * Programs that are not browsers send neither header, and have no user's cookie to misuse.
 */
export function refuseCrossSite(): RequestHandler {
  return (request, _response, next) => {
    if (!safeMethods.has(request.method) && isCrossSite(request)) {
      throw new HttpProblem(403, 'request/cross-site', 'This request has to come from a page of this site.');
    }
    next();
  };
}

function isCrossSite(request: Request): boolean {
  // Pages cannot forge it, and it is right behind any proxy, which Host is not. https://www.w3.org/TR/fetch-metadata/
  const site = request.get('Sec-Fetch-Site');
  if (site !== undefined) return site !== 'same-origin' && site !== 'none';
  const origin = request.get('Origin');
  return origin !== undefined && hostOf(origin) !== request.host;
}

/** Host and port of an `Origin` header; undefined for `null` and nonsense. */
export function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host || undefined : undefined;
}
