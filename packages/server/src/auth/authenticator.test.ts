import { generateKeyPairSync } from 'node:crypto';
import { SignJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import { readSettings } from '../config/read-settings.ts';
import { makeApiKey } from './api-keys.ts';
import type { Authenticator, CredentialRequest, Door } from './authenticator.ts';
import { type AuthenticatorDeps, createAuthenticator } from './index.ts';
import { type MintOptions, mintToken, readSigningKey, signingSecret } from './mint.ts';
import { corsOrigins } from '../server/settings.ts';
import { AUTH_SETTINGS } from './settings.ts';

const NOW = Date.UTC(2030, 0, 1);
const SECRET = 's'.repeat(32);
const OTHER = 'o'.repeat(32);
const ed = generateKeyPairSync('ed25519');
const pem = String(ed.publicKey.export({ type: 'spki', format: 'pem' }));
const privatePem = String(ed.privateKey.export({ type: 'pkcs8', format: 'pem' }));

function settingsOf(values: Record<string, unknown>) {
  const { settings, problems } = readSettings([...AUTH_SETTINGS, corsOrigins], {
    file: { path: '/etc/tidings/tidings.yaml', values },
    environment: {},
    flags: {},
    readSecret: () => '',
  });
  if (problems[0] !== undefined) throw problems[0];
  return settings;
}

function start(
  values: Record<string, unknown>,
  deps: Partial<AuthenticatorDeps> = {},
): Promise<Authenticator> {
  return createAuthenticator(settingsOf(values), {
    logger: { warn: () => {}, debug: () => {} },
    now: () => NOW,
    read: () => Promise.reject(new Error('no file')),
    ...deps,
  });
}

async function reload(authenticator: Authenticator, values: Record<string, unknown>): Promise<void> {
  const take = await authenticator.prepare(settingsOf(values));
  take();
}

function mint(options: Partial<MintOptions> = {}): Promise<string> {
  return mintToken({
    key: signingSecret(SECRET, 'test'),
    claim: 'tidings',
    grant: { subscribe: ['news'] },
    subject: 'ann',
    lifetime: 60,
    now: NOW,
    ...options,
  });
}

function request(headers: Record<string, string> = {}, query = '', method = 'GET'): CredentialRequest {
  return { method, query: new URLSearchParams(query), header: (name) => headers[name], remote: '127.0.0.1' };
}

const bearer = (text: string): CredentialRequest => request({ authorization: `Bearer ${text}` });
const codeOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'accepted',
    (error: unknown) => (error as { code?: unknown }).code,
  );

describe('A request with a token', () => {
  test('has the permissions of its claim and those of the settings', async () => {
    const values = {
      'auth.jwt.secret': SECRET,
      'auth.jwt.subscribe': ['user/{sub}/*'],
      'auth.jwt.private': ['user/{sub}/*'],
    };
    const { authenticate } = await start(values);
    const grant = {
      publish: [{ template: 'drafts/{sub}' }],
      subscribe: ['news', { pattern: 'room/*' }],
      private: [],
    };
    expect(await authenticate(bearer(await mint({ grant, id: 'token-1' })))).toMatchObject({
      subject: 'ann',
      credential: 'subject:ann',
      tokenId: 'token-1',
      publish: ['drafts/ann'],
      subscribe: [{ pattern: 'user/ann/*' }, 'news', { pattern: 'room/*' }],
      private: [{ pattern: 'user/ann/*' }],
      expiresAt: NOW + 65_000,
      issuedAt: NOW,
    });
  });

  test('reads private events on all of its topics unless it says on which', async () => {
    const { authenticate } = await start({ 'auth.jwt.secret': SECRET });
    const { private: secret } = await authenticate(bearer(await mint()));
    expect(secret).toEqual(['news']);
  });

  test.each([
    ['is no object', ['news'], /object/],
    ['has an unknown field', { subscribes: ['news'] }, /Did you mean `subscribe`/],
    ['has text instead of a list', { subscribe: 'news' }, /list/],
    ['has null as a topic', { subscribe: [null] }, /text/],
    ['has a matcher with more than one meaning', { subscribe: [{ pattern: 'a', template: 'b' }] }, /text/],
    [
      'has a topic that was meant to be a pattern',
      { subscribe: ['room/*'] },
      /Write {"pattern": "room\/\*"}/,
    ],
    [
      'has a topic that was meant to be a template',
      { publish: ['user/{sub}'] },
      /{"template": "user\/{sub}"}/,
    ],
    ['has an invalid pattern', { subscribe: [{ pattern: '(a+)+' }] }, /groups/],
    [
      'has more topics than anybody needs',
      { subscribe: Array.from({ length: 300 }, (_, i) => `t${i}`) },
      /256/,
    ],
  ])('is refused if its claim %s', async (_, grant, message) => {
    const { authenticate } = await start({ 'auth.jwt.secret': SECRET });
    const text = await unchecked(grant);
    await expect(authenticate(bearer(text))).rejects.toThrow(message);
    expect(await codeOf(authenticate(bearer(text)))).toBe('auth/invalid-token');
  });

  test('permits nothing if it has no claim of ours', async () => {
    const { authenticate } = await start({ 'auth.jwt.secret': SECRET });
    expect(await authenticate(bearer(await mint({ claim: 'else' })))).toMatchObject({
      publish: [],
      subscribe: [],
      private: [],
    });
  });

  test('by a cookie counts only for pages that may use it', async () => {
    const { authenticate } = await start({
      'auth.jwt.secret': SECRET,
      'auth.cookie': 'sid',
      'cors.origins': ['https://app.example'],
    });
    const cookie = `sid=${await mint()}`;
    const from = (origin: string) =>
      codeOf(authenticate(request({ cookie, origin, host: 'live.example' }, '', 'POST')));
    expect(await from('https://app.example')).toBe('accepted');
    expect(await from('https://live.example')).toBe('accepted');
    expect(await from('https://evil.example')).toBe('auth/forbidden');
  });

  test('in the query counts only where that is switched on', async () => {
    const query = `access_token=${await mint()}`;
    const off = await start({ 'auth.jwt.secret': SECRET });
    expect(await codeOf(off.authenticate(request({}, query)))).toBe('auth/invalid-request');
    const on = await start({ 'auth.jwt.secret': SECRET, 'auth.query-token': true });
    expect((await on.authenticate(request({}, query))).subject).toBe('ann');
  });

  test('is judged by a door’s own rules, if it has some', async () => {
    const { authenticate } = await start({ 'auth.jwt.secret': SECRET, 'auth.jwt.subscribe': ['all'] });
    const door: Door = {
      types: ['at+jwt'],
      cookies: ['theirs'],
      headerWins: true,
      toGrant: ({ theirs }) => ({ publish: [], subscribe: [String(theirs)], private: [] }),
    };
    expect(await codeOf(authenticate(bearer(await mint()), door))).toBe('auth/invalid-token');
    const { types: _, ...lenient } = door;
    const text = await mint({ claim: 'theirs', grant: {} });
    const both = request({ authorization: `Bearer ${text}`, cookie: 'theirs=x' });
    expect((await authenticate(both, lenient)).subscribe).toEqual(['all', '[object Object]']);
  });
});

test('A refusal says why to the operator, at debug level, without the token', async () => {
  const lines: unknown[] = [];
  const logger = { warn: () => {}, debug: (...line: unknown[]) => lines.push(line) };
  const { authenticate } = await start({ 'auth.jwt.secret': SECRET }, { logger });
  const text = await mint({ key: { ...signingSecret(OTHER, 'test'), kid: 'old-key' } });
  expect(await codeOf(authenticate(bearer(text)))).toBe('auth/invalid-token');
  expect(lines).toEqual([
    [
      { code: 'auth/invalid-token', remote: '127.0.0.1', why: 'kid: "old-key" (string), tried: 1 (number)' },
      expect.stringContaining('signature'),
    ],
  ]);
});

describe('A request without a credential', () => {
  test('may do nothing by default', async () => {
    const { authenticate } = await start({ 'auth.jwt.secret': SECRET });
    expect(await authenticate(request())).toEqual({
      credential: undefined,
      publish: [],
      subscribe: [],
      private: [],
    });
  });

  test('may subscribe to what the settings name, and to everything in development, but not to private events', async () => {
    const named = await start(
      { 'auth.anonymous.subscribe': ['news'] },
      { developmentKey: new Uint8Array(32) },
    );
    expect(await named.authenticate(request())).toMatchObject({
      subscribe: ['news'],
      private: [],
      publish: [],
    });
    const development = await start({}, { developmentKey: new Uint8Array(32) });
    expect(await development.authenticate(request())).toMatchObject({
      subscribe: [{ pattern: '*' }],
      private: [],
      publish: [],
    });
  });

  test('is not what a request with an invalid one becomes', async () => {
    const { authenticate } = await start({ 'auth.jwt.secret': SECRET, 'auth.anonymous.subscribe': ['news'] });
    expect(await codeOf(authenticate(bearer('x.y.z')))).toBe('auth/invalid-token');
    expect(await codeOf(authenticate(bearer(makeApiKey().key)))).toBe('auth/invalid-token');
  });
});

describe('A request with an API key', () => {
  const { key, hash } = makeApiKey();

  test('has its permissions, if the key is in the header', async () => {
    const values = {
      'auth.api-keys': [{ name: 'billing', hash, publish: ['invoices'] }],
      'auth.cookie': 'sid',
    };
    const { authenticate } = await start(values);
    expect(await authenticate(bearer(key))).toEqual({
      subject: 'api-key/billing',
      credential: 'api-key:billing',
      publish: ['invoices'],
      subscribe: [],
      private: [],
    });
    expect(await codeOf(authenticate(request({ cookie: `sid=${key}` })))).toBe('auth/invalid-token');
  });

  test('is known by a file, in YAML, and each name stands for one key', async () => {
    const text = `- name: shop\n  hash: ${hash}\n  publish: [orders, { pattern: "stock/*" }]\n`;
    const values = { 'auth.api-keys-file': 'keys.yaml' };
    const { authenticate } = await start(values, { read: () => Promise.resolve(text) });
    expect((await authenticate(bearer(key))).publish).toEqual([{ pattern: 'stock/*' }, 'orders']);
    await expect(start(values, { read: () => Promise.resolve(text + text) })).rejects.toThrow(/"shop" twice/);
    const misspelt = text.replace('publish', 'publishes');
    await expect(start(values, { read: () => Promise.resolve(misspelt) })).rejects.toMatchObject({
      code: 'config/invalid',
      message: expect.stringContaining('publish`') as string,
    });
  });
});

test('A token’s subject, a token’s id, an issuer and an API key of the same name are four credentials', async () => {
  const { key, hash } = makeApiKey();
  const name = 'https://id.example';
  const values = {
    'auth.jwt.secret': SECRET,
    'auth.jwt.issuer': name,
    'auth.api-keys': [{ name, hash, publish: ['*'] }],
  };
  const { authenticate } = await start(values);
  const token = (claims: object) =>
    new SignJWT({ iss: name, ...claims })
      .setProtectedHeader({ alg: 'HS256' })
      .setExpirationTime(new Date('2100-01-01'))
      .sign(Buffer.from(SECRET));
  const all = [
    await authenticate(bearer(key)),
    await authenticate(bearer(await token({ sub: name, jti: name }))),
    await authenticate(bearer(await token({ jti: name }))),
    await authenticate(bearer(await token({}))),
  ];
  expect(all.map(({ credential }) => credential)).toEqual([
    `api-key:${name}`,
    `subject:${name}`,
    `token:${name}`,
    `issuer:${name}`,
  ]);
  expect(all.map(({ subject }) => subject)).toEqual([`api-key/${name}`, name, undefined, undefined]);
});

describe('A reload', () => {
  test('takes new keys at once: tokens of the old one are refused from then on', async () => {
    const authenticator = await start({ 'auth.jwt.secret': SECRET });
    const [old, fresh] = [await mint(), await mint({ key: signingSecret(OTHER, 'test') })];
    expect(await codeOf(authenticator.authenticate(bearer(old)))).toBe('accepted');
    await reload(authenticator, { 'auth.jwt.secret': OTHER });
    expect(await codeOf(authenticator.authenticate(bearer(old)))).toBe('auth/invalid-token');
    expect(await codeOf(authenticator.authenticate(bearer(fresh)))).toBe('accepted');
  });

  test.each([
    ['is broken', '-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----', 'config/invalid'],
    ['is gone', undefined, 'config/unreadable'],
    ['has a private key', privatePem, 'config/invalid'],
  ])('of a file that %s says so, and the old keys stay', async (_, text, code) => {
    let content: string | undefined = pem;
    const read = () =>
      content === undefined
        ? Promise.reject(Object.assign(new Error('x'), { code: 'ENOENT' }))
        : Promise.resolve(content);
    const values = { 'auth.jwt.keys-file': 'keys.pem' };
    const authenticator = await start(values, { read });
    content = text;
    expect(await codeOf(reload(authenticator, values))).toBe(code);
    const token = await mint({ key: readSigningKey(privatePem, 'test') });
    expect(await codeOf(authenticator.authenticate(bearer(token)))).toBe('accepted');
  });

  test('keeps the keys of a URL that stays, even while it can’t be reached', async () => {
    let isUp = true;
    const keys = JSON.stringify({ keys: [ed.publicKey.export({ format: 'jwk' })] });
    const get = (() =>
      isUp
        ? Promise.resolve(new Response(keys))
        : Promise.reject(new TypeError('fetch failed'))) as typeof fetch;
    const values = { 'auth.jwt.jwks-url': 'https://id.example/keys' };
    const authenticator = await start(values, { fetch: get });
    const token = await mint({ key: readSigningKey(privatePem, 'test') });
    expect(await codeOf(authenticator.authenticate(bearer(token)))).toBe('accepted');
    isUp = false;
    await reload(authenticator, values);
    expect(await codeOf(authenticator.authenticate(bearer(token)))).toBe('accepted');
    await authenticator.close();
  });
});

describe('Settings for issuers', () => {
  const read = (path: string) => Promise.resolve(path.endsWith('.pem') ? pem : SECRET);

  test.each([
    ['no key', { 'auth.issuers': [{ issuer: 'a' }] }, /got none/],
    ['one name twice', { 'auth.issuers': twice('a', 'a') }, /twice/],
    [
      'the same subjects by oversight',
      {
        'auth.issuers': [
          { issuer: 'a', 'keys-file': 'a.pem' },
          { issuer: 'b', 'keys-file': 'b.pem' },
        ],
      },
      /subject-prefix/,
    ],
    ['keys in two places', { 'auth.jwt.secret': SECRET, 'auth.issuers': twice('a', 'b') }, /not in both/],
    [
      'an algorithm that no key can be used with',
      { 'auth.jwt.secret': SECRET, 'auth.jwt.algorithms': ['RS256'] },
      /RS256/,
    ],
    [
      'HS for keys of a URL',
      { 'auth.jwt.jwks-url': 'https://a.example/', 'auth.jwt.algorithms': ['HS256'] },
      /HS256/,
    ],
    ['an unknown algorithm', { 'auth.jwt.secret': SECRET, 'auth.jwt.algorithms': ['none'] }, /algorithms/],
    ['a misspelt name', { 'auth.issuers': [{ issuer: 'a', 'key-file': 'a.pem' }] }, /keys-file/],
    ['a grant that is none', { 'auth.jwt.secret': SECRET, 'auth.jwt.subscribe': ['{'] }, /brace/],
  ])('with %s are refused, saying which', async (_, values, message) => {
    await expect((async () => start(values, { read }))()).rejects.toThrow(message);
  });

  test('take files from the folder of the configuration, and never print a secret', async () => {
    const paths: string[] = [];
    const recording = (path: string) => (paths.push(path), read(path));
    await start(
      { 'auth.issuers': [{ issuer: 'a', 'keys-file': 'keys/a.pem', 'secret-file': '/run/secret' }] },
      { read: recording },
    );
    expect(paths.sort()).toEqual(['/etc/tidings/keys/a.pem', '/run/secret']);
  });
});

test('A minted token says only what it was asked to, and only what can be read again', async () => {
  await expect(mint({ grant: { subscribe: [{ pattern: '**' }] } })).rejects.toThrow(/modifier/);
  await expect(mint({ algorithm: 'ES256' })).rejects.toThrow(/HS256/);
  expect(() => readSigningKey(pem, 'key')).toThrow(/private key/);
});

function twice(a: string, b: string) {
  return [a, b].map((issuer) => ({ issuer, 'keys-file': 'a.pem', 'subject-prefix': '' }));
}

/** A token whose claim nobody checked. */
async function unchecked(grant: unknown): Promise<string> {
  const { SignJWT } = await import('jose');
  return new SignJWT({ tidings: grant, exp: NOW / 1000 + 60 })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(new TextEncoder().encode(SECRET));
}
