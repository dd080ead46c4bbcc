/** `tidings config check` reads every file that the settings name, and says what it expected and what it got. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { certify } from '../../tidings/test/http/server.ts';
import { checkSettings } from '../src/server/check.ts';
import { settingsOf } from './in-process.ts';
import { SECRET, makeFolder, removeFolder, run } from './server-process.ts';

const folder = makeFolder();
afterAll(() => removeFolder(folder));
const at = (name: string): string => join(folder, name);
const write = (name: string, text: string | Buffer): string => {
  writeFileSync(at(name), text);
  return at(name);
};

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const pem = {
  private: String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
  public: String(publicKey.export({ type: 'spki', format: 'pem' })),
  encrypted: String(
    privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' }),
  ),
};

beforeAll(async () => {
  const own = await certify('own');
  write('cert.pem', own.cert);
  write('key.pem', own.key);
  write('other.pem', (await certify('other')).key);
  write('cut.pem', `${own.cert.slice(0, 200)}\n-----END CERTIFICATE-----\n`);
  write('private.pem', pem.private);
  write('public.pem', pem.public);
  write('encrypted.pem', pem.encrypted);
  write('empty', '');
  write('der', Buffer.from([0x30, 0x82, 1, 2, 3]));
  write('notes.txt', 'the certificate is on the other machine');
  write('jwks.json', JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'a' }] }));
  write('jwks-cut.json', '{"keys": [');
  write('jwks-empty.json', '{"keys": []}');
  write('jwks-private.json', JSON.stringify({ keys: [privateKey.export({ format: 'jwk' })] }));
  write('short-secret', 'short\n');
  write('api-keys.yaml', '- name: shop\n  hash: sha256:x\n');
  write('api-keys-cut.yaml', '- name: [');
  write('hook-secrets', 'short\n');
  mkdirSync(at('a-folder'));
});

const tls = (cert: string, key: string) => ({ 'tls.cert-file': at(cert), 'tls.key-file': at(key) });
const keys = (name: string) => ({ 'auth.jwt.secret': undefined, 'auth.jwt.keys-file': at(name) });
const hook = (name: string) => ({
  webhooks: [{ name: 'app', url: 'https://app.example/', events: ['connect'], 'secret-file': at(name) }],
});

async function problemsOf(
  given: Readonly<Record<string, unknown>>,
  now = Date.now(),
): Promise<readonly string[]> {
  const { problems } = await checkSettings(settingsOf(given), { NODE_ENV: 'production' }, now);
  return problems.map(({ message }) => message);
}

describe('a check of the configuration', () => {
  test.each([
    ['a certificate and its key', tls('cert.pem', 'key.pem')],
    ['a JWK set', keys('jwks.json')],
    ['a public key', keys('public.pem')],
  ])('takes %s', async (_, given) => {
    expect(await problemsOf(given)).toEqual([]);
  });

  test.each<[string, object, readonly (string | RegExp)[]]>([
    ['no certificate', tls('nowhere.pem', 'key.pem'), ['nowhere.pem', 'there is no such file (ENOENT)']],
    ['a folder', tls('a-folder', 'key.pem'), ['a-folder', 'it is a folder']],
    ['only one of the two', { 'tls.cert-file': at('cert.pem') }, ['got only one of them']],
    ['a key in place of the certificate', tls('key.pem', 'key.pem'), ['key.pem', 'got PRIVATE KEY']],
    ['a certificate in place of the key', tls('cert.pem', 'cert.pem'), ['a private key', 'got CERTIFICATE']],
    [
      'the key of another certificate',
      tls('cert.pem', 'other.pem'),
      ['other.pem', 'not the one of', 'cert.pem'],
    ],
    ['an encrypted key', tls('cert.pem', 'encrypted.pem'), ['encrypted', 'passphrase']],
    ['a certificate that is cut off', tls('cut.pem', 'key.pem'), ['cut.pem is damaged']],
    ['an empty certificate', tls('empty', 'key.pem'), ['got an empty file']],
    ['a certificate in DER', tls('der', 'key.pem'), ['is it DER?']],
    ['a file of keys without any', keys('notes.txt'), ['auth.jwt.keys-file', 'Expected a public key in PEM']],
    ['a JWK set that is cut off', keys('jwks-cut.json'), ['auth.jwt.keys-file', /JSON/]],
    ['an empty JWK set', keys('jwks-empty.json'), ['auth.jwt.keys-file']],
    ['a JWK set with a private key', keys('jwks-private.json'), ['auth.jwt.keys-file', /private/i]],
    ['a private key in place of the public one', keys('private.pem'), ['auth.jwt.keys-file', /private/i]],
    [
      'a secret of an issuer that is too short',
      { 'auth.jwt.secret': undefined, 'auth.issuers': [{ issuer: 'a', 'secret-file': at('short-secret') }] },
      ['auth.issuers[0].secret-file', '32'],
    ],
    [
      'a hash that is none',
      { 'auth.api-keys-file': at('api-keys.yaml') },
      ['auth.api-keys-file[0]', 'sha256:'],
    ],
    ['API keys that are no YAML', { 'auth.api-keys-file': at('api-keys-cut.yaml') }, ['no YAML or JSON']],
    ['a webhook’s secret that is too short', hook('hook-secrets'), ['hook-secrets', 'got one of 5']],
    ['a webhook’s secrets that aren’t there', hook('nowhere'), ['webhook "app"', 'no such file']],
    ['a durability of another log', { 'log.durability': 'disk' }, ['log.durability', 'got disk']],
    ['a Mercure URL with a query', { 'mercure.url': 'https://a.example/hub?x=1' }, ['mercure.url']],
    ['no key at all', { 'auth.jwt.secret': undefined }, ['Nobody could publish']],
  ])('names %s, and nothing else', async (_, given, expected) => {
    const problems = await problemsOf({ 'auth.anonymous.subscribe': [], ...given });
    expect(problems).toHaveLength(1);
    for (const part of expected) expect(problems[0]).toMatch(part);
    expect(problems[0]).not.toContain(pem.private.split('\n')[1]);
  });

  test.each([
    ['has expired', 100 * 365 * 86_400_000],
    ['is not valid before', -100 * 365 * 86_400_000],
  ])('names a certificate that %s', async (expected, away) => {
    const problems = await problemsOf(tls('cert.pem', 'key.pem'), Date.now() + away);
    expect(problems).toEqual([expect.stringMatching(new RegExp(`cert\\.pem ${expected}.* GMT`))]);
  });

  test('names all that is wrong at once', async () => {
    const given = { ...tls('cert.pem', 'other.pem'), ...keys('notes.txt'), ...hook('nowhere') };
    expect(await problemsOf(given)).toHaveLength(3);
  });

  test('is what the command does: a problem a line, the exit status 1, and a warning that is none', async () => {
    const file = write(
      'tidings.yaml',
      'listen: {host: 0.0.0.0}\ntls: {cert-file: cert.pem, key-file: other.pem}\nauth: {jwt: {keys-file: nowhere.pem}}\n',
    );
    const wrong = await run(['config', 'check', '--config', file]);
    expect([wrong.status, wrong.out, wrong.err.trim().split('\n').length]).toEqual([1, '', 2]);
    expect(wrong.err).toContain(at('other.pem'));
    const environment = { TIDINGS_AUTH_JWT_SECRET: SECRET, TIDINGS_LISTEN_HOST: '0.0.0.0' };
    const right = await run(['config', 'check'], { environment });
    expect([right.status, right.out]).toEqual([0, 'The configuration is valid.\n']);
    expect(right.err).toMatch(/^Warning: tokens travel over plain HTTP/);
    expect(readFileSync(file, 'utf8')).toContain('other.pem');
  });
});
