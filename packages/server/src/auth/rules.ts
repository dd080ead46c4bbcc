import type { Matcher } from 'tidings';
import { createError } from 'tidings/transport';
import { parse } from 'yaml';
import type { Settings } from '../config/setting.ts';
import { corsOrigins } from '../server/settings.ts';
import { type ApiKey, readApiKey } from './api-keys.ts';
import { parseMatchers } from './grants.ts';
import {
  type IssuerInput,
  type IssuerSource,
  type Issuers,
  type IssuersOptions,
  readFrom,
  readIssuers,
} from './issuers.ts';
import { KnownTokens } from './known-tokens.ts';
import type { RemoteKeys } from './remote-keys.ts';
import * as table from './settings.ts';

/** All that a reload replaces, at once. */
export interface Rules {
  readonly issuers: Issuers;
  /** Tokens of these issuers. */
  readonly known: KnownTokens;
  readonly apiKeys: readonly ApiKey[];
  readonly anonymous: readonly Matcher[];
  readonly cookie: string | undefined;
  readonly inQuery: boolean;
  readonly clockSkew: number;
  /** Origins whose pages may use the user's cookie. */
  readonly origins: readonly string[];
}

export interface RulesParts extends IssuersOptions {
  /** Tokens signed with it count instead of those of the settings. */
  readonly developmentKey: Uint8Array | undefined;
}

/**
 * @param known keys behind URLs that are in use.
 * @throws {TidingsError} `config/invalid`, `config/unreadable`.
 */
export async function readRules(
  settings: Settings,
  parts: RulesParts,
  known?: readonly RemoteKeys[],
): Promise<Rules> {
  const { developmentKey } = parts;
  const isOpen = developmentKey !== undefined && settings.sourceOf(table.anonymousTopics) === 'default';
  const anonymous = parseMatchers(
    isOpen ? ['*'] : settings.get(table.anonymousTopics),
    table.anonymousTopics.name,
    'template',
  );
  return {
    known: new KnownTokens(),
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

async function readApiKeys(settings: Settings, { read }: RulesParts): Promise<readonly ApiKey[]> {
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

async function readApiKeysFile(path: string, read: RulesParts['read']): Promise<readonly ApiKey[]> {
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
