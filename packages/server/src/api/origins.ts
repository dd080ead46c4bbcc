import type { FastifyReply, FastifyRequest } from 'fastify';
import { forbidden } from 'tidings';

/** Pages that may send requests which change something. */
export interface OriginPolicy {
  /** The origins that are named; `*` lets no page use its visitors' cookies. */
  readonly origins: readonly string[];
  readonly allows: (origin: string) => boolean;
  readonly credentials: boolean;
}

const MAX_AGE = 600;

/**
 * Lets pages of allowed origins through, and those of the server's own. A form of any other page could otherwise publish
 * with its visitor's cookie.
 *
 * @throws {TidingsError} `auth/forbidden`.
 */
export function assertOrigin(request: FastifyRequest, policy: OriginPolicy): void {
  const { origin, 'sec-fetch-site': site } = request.headers;
  if (origin === undefined && site === undefined) return;
  if (site === 'same-origin' || site === 'none') return;
  if (origin !== undefined && policy.allows(origin)) return;
  if (site === undefined && isOwn(origin, request)) return;
  throw forbidden(
    `Pages of ${origin ?? 'another site'} may not publish here; \`publish.origins\` names those that may.`,
  );
}

/** Browsers without `Sec-Fetch-Site`, which older ones don't send, and none sends over plain HTTP. */
function isOwn(origin: string | undefined, request: FastifyRequest): boolean {
  return origin !== undefined && URL.canParse(origin) && new URL(origin).host === request.host;
}

/** Sets the headers with which a browser lets an allowed page read the answer. */
export function permit(request: FastifyRequest, reply: FastifyReply, policy: OriginPolicy): void {
  const { origin } = request.headers;
  reply.header('vary', 'Origin');
  if (origin === undefined || !policy.allows(origin)) return;
  reply.header('access-control-allow-origin', origin);
  reply.header('access-control-expose-headers', 'Retry-After');
  if (policy.credentials) reply.header('access-control-allow-credentials', 'true');
  if (request.method !== 'OPTIONS') return;
  reply.header('access-control-allow-methods', 'POST');
  reply.header(
    'access-control-allow-headers',
    'Authorization, Content-Type, Idempotency-Key, Traceparent, Tracestate',
  );
  reply.header('access-control-max-age', String(MAX_AGE));
}

/** On a laptop, pages of any port of it: development servers of front ends choose their own. */
export function isLocal(origin: string): boolean {
  return URL.canParse(origin) && ['localhost', '127.0.0.1', '[::1]'].includes(new URL(origin).hostname);
}

export function listed(origins: readonly string[], development: boolean): (origin: string) => boolean {
  if (origins.includes('*')) return () => true;
  if (origins.length === 0 && development) return isLocal;
  return (origin) => origins.includes(origin);
}
