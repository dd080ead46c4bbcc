import { resolve } from 'node:path';
import {
  type Check,
  type Checks,
  aBoolean,
  aString,
  assertOptions,
  createError,
  either,
  listOf,
} from 'tidings/transport';
import { boolean, choice, duration, list, path, secret, structure, text, url } from '../config/kinds.ts';
import type { Kind, Setting, Settings } from '../config/setting.ts';
import { ALGORITHMS, type Algorithm } from './algorithms.ts';
import { type ApiKeyInput, readApiKey } from './api-keys.ts';
import type { GrantInput } from './grants.ts';
import { type IssuerInput, OWN_CLAIM } from './issuers.ts';
import { parseTemplate } from './template.ts';

/** A pattern in which `{sub}` stands for the token's claim of that name. */
const template: Kind<string> = {
  ...text,
  expected: 'a pattern of topics, such as news/* or user/{sub}/*',
  placeholder: 'PATTERN',
  fromText: checkTemplate,
  fromFile: (value) => (typeof value === 'string' ? checkTemplate(value) : undefined),
};

function checkTemplate(value: string): string {
  parseTemplate(value);
  return value;
}

/** The same for everybody: nobody's claims can fill it. */
const pattern: Kind<string> = {
  ...template,
  expected: 'a pattern of topics, such as news/*',
  fromText: checkPattern,
  fromFile: (value) => (typeof value === 'string' ? checkPattern(value) : undefined),
};

function checkPattern(value: string): string {
  if (parseTemplate(value).fill({}).length > 0) return value;
  throw createError('config/invalid', `Expected a pattern without claims, got ${JSON.stringify(value)}.`);
}

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

const API_KEY: Checks<ApiKeyInput> = { ...GRANT, name: aString, hash: aString, expires: aString };

const issuerList: Kind<readonly IssuerInput[]> = {
  ...structure(
    'a list of issuers, such as {"issuer": "https://id.example", "jwks-url": "https://id.example/keys"}',
    (value) => {
      assertOptions({ 'auth.issuers': value }, { 'auth.issuers': listOf(ISSUER) });
      return value as readonly IssuerInput[];
    },
  ),
  inFolder: (listed, folder) => listed.map((each) => inFolder(each, folder)),
};

function inFolder(input: IssuerInput, folder: string): IssuerInput {
  const fields = Object.entries(input).map(([name, value]) => [
    name,
    name.endsWith('-file') ? resolve(folder, String(value)) : (value as unknown),
  ]);
  return Object.fromEntries(fields) as IssuerInput;
}

/** @throws {TidingsError} `config/invalid`. */
export function checkApiKeys(value: unknown, from: string): readonly ApiKeyInput[] {
  assertOptions({ [from]: value }, { [from]: listOf(API_KEY) }, '', (_, message) =>
    createError('config/invalid', message, { details: { setting: from } }),
  );
  const keys = value as readonly ApiKeyInput[];
  for (const [i, key] of keys.entries()) readApiKey(key, `${from}[${i}]`);
  return keys;
}

const apiKeyList: Kind<readonly ApiKeyInput[]> = structure(
  'a list of API keys, as "tidings token api-key" prints them',
  (value) => checkApiKeys(value, 'auth.api-keys'),
);

export const jwtSecret: Setting<string | undefined> = {
  name: 'auth.jwt.secret',
  kind: secret,
  default: undefined,
  help: 'the secret of tokens signed with HS256: at least 32 bytes; base64:… for any bytes',
  reloadable: true,
};
export const keysFile: Setting<string | undefined> = {
  name: 'auth.jwt.keys-file',
  kind: path,
  default: undefined,
  help: 'a file with the public keys of tokens: PEM, JWK or JWK set',
  reloadable: true,
};
export const jwksUrl: Setting<string | undefined> = {
  name: 'auth.jwt.jwks-url',
  kind: url('https:', 'http:'),
  default: undefined,
  help: 'the URL of a JWK set with the public keys of tokens',
  reloadable: true,
};
export const issuer: Setting<string | undefined> = {
  name: 'auth.jwt.issuer',
  kind: text,
  default: undefined,
  help: 'the `iss` that tokens must have',
  defaultHelp: '`iss` is not checked',
  reloadable: true,
};
export const audience: Setting<readonly string[]> = {
  name: 'auth.jwt.audience',
  kind: list(text),
  default: [],
  help: 'tokens must have one of these as `aud`',
  defaultHelp: '`aud` is not checked',
  reloadable: true,
};
export const algorithms: Setting<readonly Algorithm[] | undefined> = {
  name: 'auth.jwt.algorithms',
  kind: list(choice(...ALGORITHMS)),
  default: undefined,
  help: 'the signature algorithms that are accepted',
  defaultHelp: 'all that fit the keys',
  reloadable: true,
};
export const claim: Setting<string> = {
  name: 'auth.jwt.claim',
  kind: text,
  default: OWN_CLAIM,
  help: 'the claim with the topics of a token: {"publish": […], "subscribe": […]}',
  reloadable: true,
};
export const publishOfAll: Setting<readonly string[]> = {
  name: 'auth.jwt.publish',
  kind: list(template),
  default: [],
  help: 'patterns that every valid token may publish on, whatever its claim says',
  reloadable: true,
};
export const subscribeOfAll: Setting<readonly string[]> = {
  name: 'auth.jwt.subscribe',
  kind: list(template),
  default: [],
  help: 'patterns that every valid token may subscribe to, such as user/{sub}/*',
  reloadable: true,
};
export const privateOfAll: Setting<readonly string[] | undefined> = {
  name: 'auth.jwt.private',
  kind: list(template),
  default: undefined,
  help: 'patterns on which every valid token gets private events',
  defaultHelp: 'those of auth.jwt.subscribe',
  reloadable: true,
};
export const unexpiring: Setting<boolean> = {
  name: 'auth.jwt.unexpiring',
  kind: boolean,
  default: false,
  help: 'accepts tokens without `exp`, which never expire',
  reloadable: true,
};
export const clockSkew: Setting<number> = {
  name: 'auth.jwt.clock-skew',
  kind: duration(0, 300_000),
  default: 5000,
  help: 'by how much the clocks of issuers may differ',
  reloadable: true,
};
export const issuers: Setting<readonly IssuerInput[]> = {
  name: 'auth.issuers',
  kind: issuerList,
  default: [],
  help: 'several issuers instead of auth.jwt, each with keys of its own',
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
export const anonymousTopics: Setting<readonly string[]> = {
  name: 'auth.anonymous.subscribe',
  kind: list(pattern),
  default: [],
  help: 'patterns of topics whose public events anybody may read, such as news/*; * for all',
  defaultHelp: 'none; * in development mode',
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
  jwtSecret,
  keysFile,
  jwksUrl,
  issuer,
  audience,
  algorithms,
  claim,
  publishOfAll,
  subscribeOfAll,
  privateOfAll,
  unexpiring,
  clockSkew,
  issuers,
  cookie,
  queryToken,
  anonymousTopics,
  apiKeys,
  apiKeysFile,
];

/** Whether anything is configured that a credential could be checked with. */
export function hasKeys(settings: Settings): boolean {
  const isSet = [jwtSecret, keysFile, jwksUrl, apiKeysFile].some((row) => settings.get(row) !== undefined);
  return isSet || settings.get(issuers).length > 0 || settings.get(apiKeys).length > 0;
}
