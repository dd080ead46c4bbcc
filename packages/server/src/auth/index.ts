import { readFile } from 'node:fs/promises';
import type { Logger } from 'pino';
import { TidingsError } from 'tidings';
import type { Settings } from '../config/setting.ts';
import { type ApiKey, findApiKey, looksLikeApiKey } from './api-keys.ts';
import type { Authenticator, CredentialRequest, Door, Grant } from './authenticator.ts';
import { permissionsOf } from './claims.ts';
import { type Credential, type CredentialPlaces, credentialOf } from './credential.ts';
import { assertOwnSite } from './cross-site.ts';
import { NO_PERMISSIONS, unite } from './grants.ts';
import { invalidToken } from './refusals.ts';
import type { RemoteKeys } from './remote-keys.ts';
import { type Rules, type RulesParts, readRules } from './rules.ts';
import { API_KEY_SUBJECT, type VerifiedToken, verifyToken } from './tokens.ts';

export interface AuthenticatorDeps {
  /** Takes what the operator should know: keys that can't be fetched; and at debug level, why credentials are refused. */
  readonly logger: Pick<Logger, 'warn' | 'debug'>;
  /** Tokens signed with it count instead of those of the settings, and anybody may read public events. */
  readonly developmentKey?: Uint8Array | undefined;
  readonly now?: () => number;
  readonly read?: (path: string) => Promise<string>;
  readonly fetch?: typeof fetch;
}

export const QUERY_PARAMETER = 'access_token';

/** Reads all keys and rules, as a start would. @throws {TidingsError} `config/invalid`, `config/unreadable`. */
export async function checkAuth(settings: Settings): Promise<void> {
  const parts = { ...DEFAULT_PARTS, warn: () => {}, developmentKey: undefined };
  const { issuers } = await readRules(settings, parts);
  for (const keys of issuers.remote) keys.close();
}

const DEFAULT_PARTS: Pick<RulesParts, 'now' | 'read'> = {
  // Of keys only the age counts, which a clock that is set must not change.
  now: () => performance.now(),
  read: (path) => readFile(path, 'utf8'),
};

/** @throws {TidingsError} `config/invalid`, `config/unreadable`. */
export async function createAuthenticator(
  settings: Settings,
  { logger, developmentKey, ...given }: AuthenticatorDeps,
): Promise<Authenticator> {
  const now = given.now ?? Date.now;
  const parts: RulesParts = {
    ...DEFAULT_PARTS,
    warn: (message, error) => logger.warn({ err: error }, message),
    ...given,
    developmentKey,
  };
  let rules = await readRules(settings, parts);
  prefetch(rules.issuers.remote);

  return {
    async authenticate(request, door) {
      try {
        return await authenticate(request, rules, door, now);
      } catch (error) {
        if (error instanceof TidingsError) explain(error, request, logger);
        throw error;
      }
    },
    async prepare(next) {
      const before = rules.issuers.remote;
      const fresh = await readRules(next, parts, before);
      return () => {
        rules = fresh;
        const after = fresh.issuers.remote;
        prefetch(after);
        for (const keys of before) if (!after.includes(keys)) keys.close();
      };
    },
    close() {
      for (const keys of rules.issuers.remote) keys.close();
      return Promise.resolve();
    },
  };
}

async function authenticate(
  request: CredentialRequest,
  rules: Rules,
  door: Door | undefined,
  now: () => number,
): Promise<Grant> {
  const credential = credentialOf(request, placesOf(rules, door));
  if (credential === undefined) return anonymousGrant(rules);
  if (credential.by === 'cookie') {
    const origins = door?.origins ?? rules.origins;
    assertOwnSite(request, (origin) => origins.includes(origin));
  }
  return grantOf(credential, rules, door, now);
}

/** The cause has what the client is not to know. */
function explain(
  { code, message, cause }: TidingsError,
  { remote }: CredentialRequest,
  logger: Pick<Logger, 'debug'>,
): void {
  logger.debug({ code, remote, ...(cause instanceof Error && { why: cause.message }) }, message);
}

/** The first token then doesn't wait; and if the keys can't be fetched, the log says so at the start. */
function prefetch(remote: readonly RemoteKeys[]): void {
  for (const keys of remote) void keys.refresh();
}

function placesOf({ cookie, inQuery }: Rules, door: Door | undefined): CredentialPlaces {
  return {
    cookies: [...(cookie === undefined ? [] : [cookie]), ...(door?.cookies ?? [])],
    parameters: door?.queryParameters ?? [QUERY_PARAMETER],
    inQuery,
    headerWins: door?.headerWins ?? false,
  };
}

function anonymousGrant({ anonymous }: Rules): Grant {
  return { credential: undefined, publish: [], subscribe: anonymous, private: [] };
}

async function grantOf(
  { text, by }: Credential,
  rules: Rules,
  door: Door | undefined,
  now: () => number,
): Promise<Grant> {
  if (looksLikeApiKey(text)) {
    // A key of a publisher doesn't expire: it has no business where browsers and proxies keep it.
    if (by !== 'header') throw invalidToken('API keys are accepted only as "Authorization: Bearer".');
    return grantOfApiKey(findApiKey(text, rules.apiKeys, now()));
  }
  const { issuers, clockSkew } = rules;
  if (issuers.list.length === 0) throw invalidToken('No tokens are accepted here: the server knows no key.');
  const token = await verifyToken(text, {
    issuers: issuers.list,
    clockSkew,
    now,
    known: rules.known,
    ...(door?.types !== undefined && { types: door.types, typeRequired: true }),
  });
  return grantOfToken(token, door);
}

function grantOfApiKey({ name, permissions, expiresAt }: ApiKey): Grant {
  const subject = API_KEY_SUBJECT + name;
  return {
    ...permissions,
    subject,
    credential: `api-key:${name}`,
    ...(expiresAt !== undefined && { expiresAt }),
  };
}

/** Begins with its kind: a subject that is called like somebody's token id, or like an API key, shares nothing with it. */
function credentialOfToken({ subject, tokenId, issuer }: VerifiedToken): string {
  if (subject !== undefined) return `subject:${subject}`;
  if (tokenId !== undefined) return `token:${tokenId}`;
  return issuer.name === undefined ? 'tokens' : `issuer:${issuer.name}`;
}

type ToGrant = NonNullable<Door['toGrant']>;

/** The default reading of claims. */
const OWN: ToGrant = () => NO_PERMISSIONS;
const grants = new WeakMap<VerifiedToken, WeakMap<ToGrant, Grant>>();

/** The same grant again for a token that is known: everything derived from a grant is then found again, too. */
function grantOfToken(token: VerifiedToken, door: Door | undefined): Grant {
  const byDoor = grants.get(token) ?? new WeakMap<ToGrant, Grant>();
  grants.set(token, byDoor);
  const found = byDoor.get(door?.toGrant ?? OWN) ?? makeGrant(token, door);
  byDoor.set(door?.toGrant ?? OWN, found);
  return found;
}

function makeGrant(token: VerifiedToken, door: Door | undefined): Grant {
  const { issuer, claims, subject, tokenId, expiresAt, issuedAt } = token;
  const permissions =
    door?.toGrant === undefined ? permissionsOf(token) : unite([issuer.grant(claims), door.toGrant(claims)]);
  return {
    ...permissions,
    claims,
    credential: credentialOfToken(token),
    ...(subject !== undefined && { subject }),
    ...(issuer.name !== undefined && { issuer: issuer.name }),
    ...(tokenId !== undefined && { tokenId }),
    ...(expiresAt !== undefined && { expiresAt }),
    ...(issuedAt !== undefined && { issuedAt }),
  };
}
