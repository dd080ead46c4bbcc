import type { RequestHandler } from 'express';
import helmet from 'helmet';

/** Headers that restrict what a browser may do with the app's pages. */
export function securityHeaders(): RequestHandler {
  return helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'self'"],
        baseUri: ["'none'"],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
        imgSrc: ["'self'", 'data:'],
        objectSrc: ["'none'"],
        // No `upgrade-insecure-requests`: it would break the app on plain HTTP, behind no proxy.
      },
    },
    // Other answers are up to each route: the counting script has to be usable from other sites.
    crossOriginResourcePolicy: { policy: 'same-origin' },
    referrerPolicy: { policy: 'same-origin' },
    // Other names below this one are not ours to decide on.
    strictTransportSecurity: { includeSubDomains: false },
    xFrameOptions: { action: 'deny' },
  });
}

/** Lets pages of other origins use a route's answers. */
export const openToOtherSites: RequestHandler = (_request, response, next) => {
  response.set({ 'Access-Control-Allow-Origin': '*', 'Cross-Origin-Resource-Policy': 'cross-origin' });
  next();
};
