import { sign as signWith } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import {
  SECRET,
  rsa,
  pairs,
  other,
  pem,
  issuer,
  shared,
  byRsa,
  rulesOf,
  token,
  encode,
  forge,
  codeOf,
  GOOD,
} from '../../test/tokens.ts';
import { readKeys, secretKey } from './keys.ts';
import { verifyToken } from './tokens.ts';

describe('An attack', () => {
  const publicPem = pem(rsa.publicKey);
  const der = rsa.publicKey.export({ type: 'spki', format: 'der' });

  test.each([
    ['no signature', `${encode({ alg: 'none' })}.${encode(GOOD)}.`],
    ['no signature, in other letters', `${encode({ alg: 'nOnE' })}.${encode(GOOD)}.`],
    ['an empty signature', `${encode({ alg: 'HS256' })}.${encode(GOOD)}.`],
    ['the public key as a secret, PEM', forge({ alg: 'HS256' }, GOOD, publicPem)],
    [
      'the public key as a secret, PEM without the last line end',
      forge({ alg: 'HS256' }, GOOD, publicPem.trim()),
    ],
    ['the public key as a secret, DER', forge({ alg: 'HS256' }, GOOD, der)],
    ['an empty secret', forge({ alg: 'HS256' }, GOOD, '')],
    ['an unknown algorithm', forge({ alg: 'HS1' }, GOOD)],
    ['an algorithm that every object inherits', forge({ alg: 'toString' }, GOOD)],
    ['a list as algorithm', forge({ alg: ['RS256'] }, GOOD)],
    ['no algorithm', forge({}, GOOD)],
    ['an unprotected payload', forge({ alg: 'HS256', b64: false, crit: ['b64'] }, GOOD)],
    ['an extension to understand', forge({ alg: 'HS256', crit: ['exp'], exp: 1 }, GOOD)],
    ['an empty list of extensions', forge({ alg: 'HS256', crit: [] }, GOOD)],
    ['a token for another end', forge({ alg: 'HS256', typ: 'logout+jwt' }, GOOD)],
    ['a type that is no text', forge({ alg: 'HS256', typ: {} }, GOOD)],
    ['a key id that is no text', forge({ alg: 'HS256', kid: { $ne: null } }, GOOD)],
    ['a long key id', forge({ alg: 'HS256', kid: 'k'.repeat(600) }, GOOD)],
    ['a huge token', forge({ alg: 'HS256' }, { ...GOOD, more: 'x'.repeat(9000) })],
    ['five parts', 'eyJhbGciOiJSU0EtT0FFUCJ9.a.b.c.d'],
    ['JSON', '{"protected":"e30","payload":"e30","signature":""}'],
    ['nothing', ''],
    ['a header that is a list', forge([], GOOD)],
    ['a header that is null', forge(null, GOOD)],
    ['claims that are a list', forge({ alg: 'HS256' }, [])],
    ['claims that are no JSON', forge({ alg: 'HS256' }, '{')],
    ['claims that are not UTF-8', forge({ alg: 'HS256' }, '\ud800')],
    ['an expiry of text', forge({ alg: 'HS256' }, { exp: '9999999999' })],
    ['an endless expiry', forge({ alg: 'HS256' }, '{"exp":1e999}')],
    ['an expiry of null', forge({ alg: 'HS256' }, { exp: null })],
    ['a time of issue before there was time', forge({ alg: 'HS256' }, { ...GOOD, iat: -1 })],
    ['a time of issue that is text', forge({ alg: 'HS256' }, { ...GOOD, iat: 'now' })],
    ['a subject that is a list', forge({ alg: 'HS256' }, { ...GOOD, sub: ['ann'] })],
    ['an empty subject', forge({ alg: 'HS256' }, { ...GOOD, sub: '' })],
    ['a subject with a line end', forge({ alg: 'HS256' }, { ...GOOD, sub: 'ann\nroot' })],
    [
      'a subject with half of a surrogate pair',
      forge({ alg: 'HS256' }, '{"sub":"\\ud800","exp":99999999999}'),
    ],
    ['a long subject', forge({ alg: 'HS256' }, { ...GOOD, sub: 's'.repeat(600) })],
    ['the subject of an API key', forge({ alg: 'HS256' }, { ...GOOD, sub: 'api-key/billing' })],
    ['a token id that is a number', forge({ alg: 'HS256' }, { ...GOOD, jti: 7 })],
  ])('by %s is refused, by secrets as by public keys', async (_, text) => {
    expect(await codeOf(verifyToken(text, rulesOf(byRsa)))).toBe('auth/invalid-token');
    const accepted = await codeOf(verifyToken(text, rulesOf(shared)));
    expect(accepted).toBe('auth/invalid-token');
  });

  test.each(['jku', 'x5u', 'jwk', 'x5c', 'x5t'])(
    'by a key that the header brings (%s) is ignored',
    async (name) => {
      const jwk = other.publicKey.export({ format: 'jwk' });
      const brought = {
        jku: 'http://127.0.0.1:9/keys',
        x5u: 'http://127.0.0.1:9/',
        jwk,
        x5c: [encode('x')],
        x5t: 'x',
      }[name];
      const mine = issuer(readKeys(pem(pairs.Ed.publicKey), 'test'));
      const text = await token({}, { alg: 'EdDSA', [name]: brought }, other.privateKey);
      expect(await codeOf(verifyToken(text, rulesOf(mine)))).toBe('auth/invalid-token');
      const honest = await token({}, { alg: 'EdDSA', [name]: brought }, pairs.Ed.privateKey);
      expect(await codeOf(verifyToken(honest, rulesOf(mine)))).toBe('accepted');
    },
  );

  test.each([
    '../../dev/null',
    '/dev/null',
    "' OR 1=1 --",
    'a|cat /etc/passwd',
    '__proto__',
    'file:///etc/passwd',
  ])('by a key id that could be a path or a query finds no key: %s', async (kid) => {
    const named = issuer([{ ...secretKey(SECRET, 'test'), kid: 'the-key' }]);
    const text = forge({ alg: 'HS256', kid }, GOOD, '');
    expect(await codeOf(verifyToken(text, rulesOf(named)))).toBe('auth/invalid-token');
    expect(await codeOf(verifyToken(forge({ alg: 'HS256', kid }, GOOD), rulesOf(named)))).toBe(
      'auth/invalid-token',
    );
    const honest = forge({ alg: 'HS256', kid: 'the-key' }, GOOD);
    expect(await codeOf(verifyToken(honest, rulesOf(named)))).toBe('accepted');
  });

  test('by RSA with another padding is refused where only one is allowed', async () => {
    const rules = rulesOf({ ...byRsa, algorithms: ['RS256'] });
    expect(await codeOf(verifyToken(await token({}, { alg: 'PS256' }, rsa.privateKey), rules))).toBe(
      'auth/invalid-token',
    );
    const input = `${encode({ alg: 'RS256' })}.${encode(GOOD)}`;
    const padded = signWith('sha256', Buffer.from(input), {
      key: rsa.privateKey,
      padding: 6,
      saltLength: 32,
    });
    expect(await codeOf(verifyToken(`${input}.${padded.toString('base64url')}`, rules))).toBe(
      'auth/invalid-token',
    );
  });

  test('learns nothing from the refusal: neither the token nor a key is in the message or the details', async () => {
    const text = forge({ alg: 'HS256', kid: 'my-kid' }, { ...GOOD, password: 'hunter2' }, 'y'.repeat(64));
    const error = await verifyToken(text, rulesOf(shared)).catch((reason: unknown) => reason);
    expect(JSON.stringify([(error as Error).message, error])).not.toMatch(/hunter2|my-kid|xxxx|yyyy|eyJ/);
  });
});
