import type { FastifyRequest } from 'fastify';
import type { Matcher, TidingsError } from 'tidings';
import { createError } from 'tidings/transport';
import type { Authenticator, Door, Grant } from '../auth/authenticator.ts';
import { credentialsOf } from '../api/credentials.ts';
import {
  InvalidDetails,
  NOTHING,
  type Permissions,
  readAuthorizationDetails,
} from './authorization-details.ts';
import type { Hub } from './hub.ts';
import { readLegacyClaims } from './legacy/claims.ts';
import { LEGACY } from './legacy/selectors.ts';

/** The sender of a request, and the rights of its token. */
export interface Visitor {
  /** With the topics on which it may publish. */
  readonly grant: Grant;
  readonly permissions: Permissions;
  /** Milliseconds since 1970. */
  readonly expiresAt: number | undefined;
}

export interface Access {
  /** @throws {TidingsError} `auth/*`. */
  visitorOf(request: FastifyRequest): Promise<Visitor>;
  /** Whether a request has a token, however good. */
  hasToken(request: FastifyRequest): boolean;
}

/** Tokens as the draft has them, https://www.rfc-editor.org/rfc/rfc9068, and in 0.x mode those of 0.x. */
export function createAccess(hub: Hub, authenticator: Authenticator): Access {
  const { cookie, legacy } = hub;
  const cookies = legacy ? [cookie, LEGACY.cookie] : [cookie];
  const own = {
    cookies,
    queryParameters: legacy ? [LEGACY.token] : [],
    headerWins: true,
    ...(!legacy && { types: ['at+jwt'] }),
    // A reload may change them.
    get origins() {
      return hub.origins;
    },
    // Compiling the claims' matchers may take several turns, so it comes last.
    toGrant: () => ({ publish: [], subscribe: [], private: [] }),
  } satisfies Door;

  return {
    hasToken({ headers, url }) {
      if (/^Bearer\b/i.test(headers.authorization ?? '')) return true;
      const given = (headers.cookie ?? '').split(';').map((pair) => pair.split('=', 1)[0]?.trim());
      return cookies.some((name) => given.includes(name)) || (legacy && url.includes(`${LEGACY.token}=`));
    },
    async visitorOf(request) {
      const grant = await authenticator.authenticate(credentialsOf(request), own);
      const permissions = await permissionsOf(grant, hub);
      return {
        grant: { ...grant, publish: [...grant.publish, ...permissions.publish] },
        permissions,
        expiresAt: expiryOf(grant),
      };
    },
  };
}

/** The rights of a token; none without one. @throws {TidingsError} `auth/invalid-token`. */
async function permissionsOf(grant: Grant, hub: Hub): Promise<Permissions> {
  const { claims } = grant;
  // An API key has no claims, but its topics.
  if (claims === undefined) return { ...NOTHING, subscribe: secretOf(grant) };
  try {
    const legacy = hub.legacy ? await readLegacyClaims(claims, hub) : undefined;
    if (legacy !== undefined) return { ...legacy, subscribe: [...secretOf(grant), ...legacy.subscribe] };
    assertProfile(grant, claims, hub);
    const details = await readAuthorizationDetails(claims['authorization_details'], hub);
    return { ...details, subscribe: [...secretOf(grant), ...details.subscribe] };
  } catch (cause) {
    if (cause instanceof InvalidDetails)
      throw invalid(`The token allows nothing that can be read: ${cause.message}.`, cause);
    throw cause;
  }
}

/** Topics whose private updates all tokens of the issuer may read, by the server's own settings. */
function secretOf(grant: Grant): readonly Matcher[] {
  return grant.credential === undefined ? [] : grant.private;
}

/** Checks the draft's demands beyond a valid signature. @throws {TidingsError} `auth/invalid-token`, `auth/expired`. */
function assertProfile({ issuer }: Grant, claims: Readonly<Record<string, unknown>>, hub: Hub): void {
  const { aud, iss, exp } = claims;
  if (!(Array.isArray(aud) ? aud.includes(hub.url.href) : aud === hub.url.href))
    throw invalid('The token is for somebody else (`aud`).');
  // On a laptop there are no issuers yet.
  if (typeof iss !== 'string' || (issuer === undefined && !hub.development))
    throw invalid('The token’s issuer (`iss`) is not one that is accepted here.');
  if (typeof exp !== 'number') throw invalid('The token never expires: it has no claim `exp`.');
  // Without any tolerance: streams end at that time, too.
  if (exp * 1000 <= Date.now()) throw createError('auth/expired', 'The token has expired; get a new one.');
}

/** When a stream ends at the latest, however far the clocks may differ. */
function expiryOf({ claims, expiresAt }: Grant): number | undefined {
  const exp = claims?.['exp'];
  if (typeof exp !== 'number') return expiresAt;
  return Math.min(exp * 1000, expiresAt ?? Infinity);
}

function invalid(message: string, cause?: unknown): TidingsError {
  return createError('auth/invalid-token', message, { cause });
}
