import { resolve } from 'node:path';
import type { Matcher } from 'tidings';
import {
  type Check,
  type Checks,
  aBoolean,
  aString,
  assertOptions,
  createError,
  createMatcherSet,
  describe,
  either,
  listOf,
} from 'tidings/transport';
import { boolean, choice, duration, list, path, secret, structure, text, url } from '../config/kinds.ts';
import type { Kind, Setting } from '../config/setting.ts';
import { ALGORITHMS, type Algorithm } from './algorithms.ts';
import { type ApiKeyInput, readApiKey } from './api-keys.ts';
import { type GrantInput, parseGrant } from './grants.ts';
import { type IssuerInput, OWN_CLAIM } from './issuers.ts';

const aList: Check = { expected: 'a list', accepts: Array.isArray };

const GRANT: Checks<GrantInput> = { publish: aList, subscribe: aList, private: aList };

const ISSUER: Checks<IssuerInput> = {
  ...GRANT,
  issuer: aString,
  audience: either(aString, aList),
  algorithms: aList,
  'secret-file': aString,
  'keys-file': aString,
  'jwks-url': aString,
  'subject-prefix': { expected: 'text', accepts: (value) => typeof value === 'string' },
  unexpiring: aBoolean,
  claim: aString,
};

const API_KEY: Checks<ApiKeyInput> = {
  ...GRANT,
  name: aString,
  hash: aString,
  expires: aString,
};

/** Issuers in a list of their own: each with the files of its keys. */
const issuerList: Kind<readonly IssuerInput[]> = {
  ...structure(
    'a list of issuers, such as {"issuer": "https://id.example", "jwks-url": "https://id.example/keys"}',
    (value) => {
      assertOptions({ 'auth.issuers': value }, { 'auth.issuers': listOf(ISSUER) });
      return value as readonly IssuerInput[];
    },
  ),
  inFolder: (issuers, folder) => issuers.map((issuer) => inFolder(issuer, folder)),
};

function inFolder(issuer: IssuerInput, folder: string): IssuerInput {
  const files = Object.entries(issuer).map(([name, value]) => [
    name,
    name.endsWith('-file') ? resolve(folder, String(value)) : (value as unknown),
  ]);
  return Object.fromEntries(files) as IssuerInput;
}

const grant: Kind<GrantInput> = structure(
  'topics, such as {"subscribe": [{"template": "user/{sub}/*"}]}',
  (value) => {
    parseGrant(value, 'auth.grant');
    return value as GrantInput;
  },
);

const matchers: Kind<readonly Matcher[]> = structure(
  'topics, such as ["news", {"pattern": "public/*"}]',
  (value) => {
    if (!Array.isArray(value)) {
      throw createError('config/invalid', `Expected a list of topics and patterns, got ${describe(value)}.`);
    }
    createMatcherSet(value as readonly Matcher[]);
    return value as readonly Matcher[];
  },
);

/** @throws {TidingsError} `hub/invalid-option`, `config/invalid`. */
export function checkApiKeys(value: unknown, from: string): readonly ApiKeyInput[] {
  assertOptions({ [from]: value }, { [from]: listOf(API_KEY) });
  const keys = value as readonly ApiKeyInput[];
  for (const [i, key] of keys.entries()) readApiKey(key, `${from}[${i}]`);
  return keys;
}

const apiKeyList: Kind<readonly ApiKeyInput[]> = structure(
  'a list of API keys, as "tidings token api-key" prints them',
  (value) => checkApiKeys(value, 'auth.api-keys'),
);

export const authSecret: Setting<string | undefined> = {
  name: 'auth.secret',
  kind: secret,
  default: undefined,
  help: 'the secret of 32 bytes or more that tokens are signed with (HS256); base64:… for any bytes',
  reloadable: true,
};
export const keysFile: Setting<string | undefined> = {
  name: 'auth.keys-file',
  kind: path,
  default: undefined,
  help: 'a file with the public keys of tokens: PEM, JWK or JWK set',
  reloadable: true,
};
export const jwksUrl: Setting<string | undefined> = {
  name: 'auth.jwks-url',
  kind: url('https:', 'http:'),
  default: undefined,
  help: 'the URL of a JWK set with the public keys of tokens',
  reloadable: true,
};
export const issuer: Setting<string | undefined> = {
  name: 'auth.issuer',
  kind: text,
  default: undefined,
  help: 'the `iss` that tokens must have',
  defaultHelp: '`iss` is not checked',
  reloadable: true,
};
export const audience: Setting<readonly string[]> = {
  name: 'auth.audience',
  kind: list(text),
  default: [],
  help: 'tokens must have one of these as `aud`',
  reloadable: true,
};
export const algorithms: Setting<readonly Algorithm[] | undefined> = {
  name: 'auth.algorithms',
  kind: list(choice(...ALGORITHMS)),
  default: undefined,
  help: 'the signature algorithms that are accepted',
  defaultHelp: 'all that fit the keys',
  reloadable: true,
};
export const claim: Setting<string> = {
  name: 'auth.claim',
  kind: text,
  default: OWN_CLAIM,
  help: 'the claim with the topics of a token: {"publish": […], "subscribe": […]}',
  reloadable: true,
};
export const grantOfAll: Setting<GrantInput | undefined> = {
  name: 'auth.grant',
  kind: grant,
  default: undefined,
  help: 'what every valid token permits, whatever its claim says',
  reloadable: true,
};
export const unexpiring: Setting<boolean> = {
  name: 'auth.unexpiring',
  kind: boolean,
  default: false,
  help: 'accepts tokens without `exp`, which never expire',
  reloadable: true,
};
export const issuers: Setting<readonly IssuerInput[]> = {
  name: 'auth.issuers',
  kind: issuerList,
  default: [],
  help: 'several issuers, each with keys of its own',
  reloadable: true,
};
export const clockSkew: Setting<number> = {
  name: 'auth.clock-skew',
  kind: duration(0, 300_000),
  default: 5000,
  help: 'by how much the clocks of issuers may differ',
  reloadable: true,
};
export const cookie: Setting<string | undefined> = {
  name: 'auth.cookie',
  kind: text,
  default: undefined,
  help: 'the name of a cookie that may carry a token, such as __Host-tidings',
  defaultHelp: 'no cookie',
  reloadable: true,
};
export const queryToken: Setting<boolean> = {
  name: 'auth.query-token',
  kind: boolean,
  default: false,
  help: 'accepts tokens as ?access_token=, where proxies may log them',
  reloadable: true,
};
export const anonymous: Setting<readonly Matcher[]> = {
  name: 'auth.anonymous',
  kind: matchers,
  default: [],
  help: 'topics that anybody may subscribe to; private events on them stay private',
  defaultHelp: 'none; all in development',
  reloadable: true,
};
export const apiKeys: Setting<readonly ApiKeyInput[]> = {
  name: 'auth.api-keys',
  kind: apiKeyList,
  default: [],
  help: 'API keys, by their hashes',
  reloadable: true,
};
export const apiKeysFile: Setting<string | undefined> = {
  name: 'auth.api-keys-file',
  kind: path,
  default: undefined,
  help: 'a YAML or JSON file with a list like auth.api-keys',
  reloadable: true,
};

export const AUTH_SETTINGS: readonly Setting[] = [
  authSecret,
  keysFile,
  jwksUrl,
  issuer,
  audience,
  algorithms,
  claim,
  grantOfAll,
  unexpiring,
  issuers,
  clockSkew,
  cookie,
  queryToken,
  anonymous,
  apiKeys,
  apiKeysFile,
];
