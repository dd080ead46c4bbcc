import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { keysOfSet, readKeys, secretKey, selectKeys } from './keys.ts';

const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ed = generateKeyPairSync('ed25519');
const pem = String(ec.publicKey.export({ type: 'spki', format: 'pem' }));
const privatePem = String(ec.privateKey.export({ type: 'pkcs8', format: 'pem' }));
const jwk = ed.publicKey.export({ format: 'jwk' });

const algorithmsOf = (text: string) => readKeys(text, 'auth.keys-file').map(({ algorithms }) => algorithms);

describe('A secret', () => {
  test('signs with the algorithms it is long enough for', () => {
    expect(secretKey('x'.repeat(32), 's').algorithms).toEqual(['HS256']);
    expect(secretKey('x'.repeat(48), 's').algorithms).toEqual(['HS256', 'HS384']);
    expect(secretKey(`base64:${Buffer.alloc(64, 7).toString('base64')}`, 's').algorithms).toHaveLength(3);
  });

  test.each([
    ['is too short', '!ChangeThis!', /32 bytes or more, got 12/],
    ['is too short once decoded', `base64:${'a'.repeat(32)}`, /got 24/],
    ['is empty', '', /empty/],
    ['is no base64', 'base64:***', /base64/],
    ['is really a public key', pem, /PEM/],
  ])('is refused if it %s, without being quoted', (_, text, message) => {
    expect(() => secretKey(text, 'auth.secret')).toThrow(message);
    expect(() => secretKey(text, 'auth.secret')).not.toThrow(/ChangeThis|BEGIN/);
  });
});

describe('A file of keys', () => {
  test('has PEM blocks, a JWK or a JWK set', () => {
    const second = String(ed.publicKey.export({ type: 'spki', format: 'pem' }));
    expect(algorithmsOf(`${pem}\n${second}`)).toEqual([['ES256'], ['EdDSA', 'Ed25519']]);
    expect(algorithmsOf(JSON.stringify(jwk))).toEqual([['EdDSA', 'Ed25519']]);
    expect(algorithmsOf(JSON.stringify({ keys: [{ ...jwk, alg: 'EdDSA' }] }))).toEqual([['EdDSA']]);
  });

  test.each([
    ['a private key in PEM', privatePem, /private/],
    ['a private JWK', JSON.stringify(ed.privateKey.export({ format: 'jwk' })), /private/],
    ['nothing', '', /PEM, a JWK/],
    ['broken PEM', '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----', /public key/],
    ['broken JSON', '{"kty":', /broken JSON/],
    ['a JWK set without keys', '{"keys":[]}', /none/],
    ['a JWK for another algorithm than its kind', JSON.stringify({ ...jwk, alg: 'RS256' }), /EdDSA/],
    ['a short RSA key', shortRsa(), /2048 bits or more, got one of 1024/],
    ['a curve that is not supported', curve('secp256k1'), /P-256/],
    ['more keys than anybody has', JSON.stringify({ keys: Array.from({ length: 101 }, () => jwk) }), /100/],
  ])('is refused if it has %s', (_, text, message) => {
    expect(() => readKeys(text, 'auth.keys-file')).toThrow(message);
    expect(() => readKeys(text, 'auth.keys-file')).toThrow(/^auth\.keys-file: /);
  });
});

describe('A JWK set', () => {
  const good = { ...jwk, kid: 'a' };

  test('may have keys for other ends and of unknown kinds, which don’t count', () => {
    const keys = [
      { kty: 'AKP', pub: 'x' },
      null,
      'x',
      { ...jwk, use: 'enc' },
      { ...jwk, key_ops: ['sign'] },
      { kty: 'EC' },
      good,
    ];
    expect(keysOfSet({ keys }, 'url', false).map(({ kid }) => kid)).toEqual(['a']);
  });

  test('may not bring secrets over the network', () => {
    const secret = { kty: 'oct', k: Buffer.alloc(32, 1).toString('base64url'), kid: 's' };
    expect(keysOfSet({ keys: [secret, good] }, 'file', true)).toHaveLength(2);
    expect(keysOfSet({ keys: [secret, good] }, 'url', false)).toHaveLength(1);
  });
});

test('A token’s key id selects its key; keys without an id fit any, and few are tried for one token', () => {
  const named = keysOfSet(
    {
      keys: [
        { ...jwk, kid: 'a' },
        { ...jwk, kid: 'b' },
      ],
    },
    'x',
    false,
  );
  const nameless = keysOfSet({ keys: Array.from({ length: 50 }, () => jwk) }, 'x', false);
  expect(selectKeys(named, 'EdDSA', 'b').map(({ kid }) => kid)).toEqual(['b']);
  expect(selectKeys(named, 'EdDSA', 'c')).toEqual([]);
  expect(selectKeys(named, 'ES256', 'a')).toEqual([]);
  expect(selectKeys(named, 'EdDSA', undefined)).toHaveLength(2);
  expect(selectKeys([...named, ...nameless], 'EdDSA', 'c')).toHaveLength(8);
});

function shortRsa(): string {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
  return String(publicKey.export({ type: 'spki', format: 'pem' }));
}

function curve(namedCurve: string): string {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve });
  return String(publicKey.export({ type: 'spki', format: 'pem' }));
}
