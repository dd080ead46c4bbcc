import type { RequestHandler } from 'express';
import helmet from 'helmet';

/** Headers that keep a browser from doing with our pages what they were not made for. */
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
    // What is not a page is left to each route: the counting script has to be usable from other sites.
    crossOriginResourcePolicy: { policy: 'same-origin' },
    referrerPolicy: { policy: 'same-origin' },
    // Other names below this one are not ours to decide on.
    strictTransportSecurity: { includeSubDomains: false },
    xFrameOptions: { action: 'deny' },
  });
}

/** Lets pages of other origins use what a route answers. */
export const openToOtherSites: RequestHandler = (_request, response, next) => {
  response.set({ 'Access-Control-Allow-Origin': '*', 'Cross-Origin-Resource-Policy': 'cross-origin' });
  next();
};
