import { readFile } from 'node:fs/promises';
import type { Logger } from 'pino';
import { type Matcher, TidingsError } from 'tidings';
import { createError } from 'tidings/transport';
import { parse } from 'yaml';
import type { Settings } from '../config/setting.ts';
import { corsOrigins } from '../server/settings.ts';
import { type ApiKey, findApiKey, looksLikeApiKey, readApiKey } from './api-keys.ts';
import type { Authenticator, CredentialRequest, Door, Grant } from './authenticator.ts';
import { permissionsOf } from './claims.ts';
import { type Credential, type CredentialPlaces, credentialOf } from './credential.ts';
import { assertOwnSite } from './cross-site.ts';
import { parseMatchers, unite } from './grants.ts';
import {
  type IssuerInput,
  type IssuerSource,
  type Issuers,
  type IssuersOptions,
  readFrom,
  readIssuers,
} from './issuers.ts';
import { invalidToken } from './refusals.ts';
import type { RemoteKeys } from './remote-keys.ts';
import * as table from './settings.ts';
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

/** All that a reload replaces, at once. */
interface Rules {
  readonly issuers: Issuers;
  readonly apiKeys: readonly ApiKey[];
  readonly anonymous: readonly Matcher[];
  readonly cookie: string | undefined;
  readonly inQuery: boolean;
  readonly clockSkew: number;
  /** Origins whose pages may use the user's cookie. */
  readonly origins: readonly string[];
}

export const QUERY_PARAMETER = 'access_token';

/** @throws {TidingsError} `config/invalid`, `config/unreadable`. */
export async function createAuthenticator(
  settings: Settings,
  { logger, developmentKey, ...given }: AuthenticatorDeps,
): Promise<Authenticator> {
  const parts: Parts = {
    now: Date.now,
    read: (path) => readFile(path, 'utf8'),
    warn: (message, error) => logger.warn({ err: error }, message),
    ...given,
    developmentKey,
  };
  let rules = await readRules(settings, parts);
  prefetch(rules.issuers.remote);

  return {
    async authenticate(request, door) {
      try {
        return await authenticate(request, rules, door, parts.now);
      } catch (error) {
        if (error instanceof TidingsError) explain(error, request, logger);
        throw error;
      }
    },
    async reload(next) {
      const before = rules.issuers.remote;
      rules = await readRules(next, parts, before);
      const after = rules.issuers.remote;
      prefetch(after);
      for (const keys of before) if (!after.includes(keys)) keys.close();
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

interface Parts extends IssuersOptions {
  readonly developmentKey: Uint8Array | undefined;
}

async function readRules(settings: Settings, parts: Parts, known?: readonly RemoteKeys[]): Promise<Rules> {
  const { developmentKey } = parts;
  const isOpen = developmentKey !== undefined && settings.sourceOf(table.anonymousTopics) === 'default';
  const anonymous = parseMatchers(
    isOpen ? ['*'] : settings.get(table.anonymousTopics),
    table.anonymousTopics.name,
    'template',
  );
  return {
    apiKeys: await readApiKeys(settings, parts),
    anonymous: anonymous({}),
    cookie: settings.get(table.cookie),
    inQuery: settings.get(table.queryToken),
    clockSkew: settings.get(table.clockSkew),
    origins: settings.get(corsOrigins),
    issuers: await readIssuers(
      developmentKey === undefined ? issuerSources(settings) : [developmentIssuer(developmentKey)],
      parts,
      known,
    ),
  };
}

function developmentIssuer(key: Uint8Array): IssuerSource {
  return { from: 'development.key', input: {}, secret: `base64:${Buffer.from(key).toString('base64')}` };
}

/** The issuer that settings of their own describe, or those of the list. */
function issuerSources(settings: Settings): readonly IssuerSource[] {
  const listed = settings
    .get(table.issuers)
    .map((input, i): IssuerSource => ({ from: `auth.issuers[${i}]`, input }));
  const secret = settings.get(table.jwtSecret);
  const keysFile = settings.get(table.keysFile);
  const jwksUrl = settings.get(table.jwksUrl);
  if (secret === undefined && keysFile === undefined && jwksUrl === undefined) return listed;
  if (listed.length > 0) {
    const message = 'Give the keys of tokens either in `auth.jwt` or in `auth.issuers`, not in both.';
    throw createError('config/invalid', message, { details: { setting: table.issuers.name } });
  }
  const issuer = settings.get(table.issuer);
  const algorithms = settings.get(table.algorithms);
  const privateOfAll = settings.get(table.privateOfAll);
  const input: IssuerInput = {
    audience: settings.get(table.audience),
    claim: settings.get(table.claim),
    unexpiring: settings.get(table.unexpiring),
    publish: settings.get(table.publishOfAll),
    subscribe: settings.get(table.subscribeOfAll),
    ...(privateOfAll !== undefined && { private: privateOfAll }),
    ...(issuer !== undefined && { issuer }),
    ...(algorithms !== undefined && { algorithms }),
    ...(keysFile !== undefined && { 'keys-file': keysFile }),
    ...(jwksUrl !== undefined && { 'jwks-url': jwksUrl }),
  };
  return [{ from: 'auth.jwt', input, ...(secret !== undefined && { secret }) }];
}

async function readApiKeys(settings: Settings, { read }: Parts): Promise<readonly ApiKey[]> {
  const inline = settings.get(table.apiKeys).map((key, i) => readApiKey(key, `auth.api-keys[${i}]`));
  const path = settings.get(table.apiKeysFile);
  const keys = path === undefined ? inline : [...inline, ...(await readApiKeysFile(path, read))];
  const twice = keys.find(({ name }, i) => keys.findIndex((key) => key.name === name) !== i);
  if (twice === undefined) return keys;
  throw createError(
    'config/invalid',
    `Expected API keys to have different names, got "${twice.name}" twice.`,
  );
}

async function readApiKeysFile(path: string, read: Parts['read']): Promise<readonly ApiKey[]> {
  const { name } = table.apiKeysFile;
  const text = await readFrom(path, name, read);
  let value: unknown;
  try {
    value = parse(text);
  } catch (cause) {
    throw createError('config/invalid', `${name}: ${path} is no YAML or JSON.`, { cause });
  }
  return table.checkApiKeys(value ?? [], name).map((key, i) => readApiKey(key, `${name}[${i}]`));
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
    ...(door?.types !== undefined && { types: door.types, typeRequired: true }),
  });
  return grantOfToken(token, door);
}

function grantOfApiKey({ name, permissions, expiresAt }: ApiKey): Grant {
  const subject = API_KEY_SUBJECT + name;
  return { ...permissions, subject, credential: subject, ...(expiresAt !== undefined && { expiresAt }) };
}

function grantOfToken(token: VerifiedToken, door: Door | undefined): Grant {
  const { issuer, claims, subject, tokenId, expiresAt, issuedAt } = token;
  const permissions =
    door === undefined ? permissionsOf(token) : unite([issuer.grant(claims), door.toGrant(claims)]);
  return {
    ...permissions,
    claims,
    credential: subject ?? tokenId ?? issuer.name ?? 'token',
    ...(subject !== undefined && { subject }),
    ...(issuer.name !== undefined && { issuer: issuer.name }),
    ...(tokenId !== undefined && { tokenId }),
    ...(expiresAt !== undefined && { expiresAt }),
    ...(issuedAt !== undefined && { issuedAt }),
  };
}
