import { createSecretKey } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  NOW,
  SECOND,
  SECRET,
  pairs,
  other,
  pairOf,
  pem,
  issuer,
  shared,
  rulesOf,
  token,
  forge,
  codeOf,
} from '../../test/tokens.ts';
import { ALGORITHMS } from './algorithms.ts';
import { readKeys, secretKey } from './keys.ts';
import { verifyToken } from './tokens.ts';

describe('A token', () => {
  test.each(ALGORITHMS)('signed with %s is accepted by the key it was signed with', async (algorithm) => {
    const [key, keys] = algorithm.startsWith('HS')
      ? [createSecretKey(Buffer.from(SECRET)), [secretKey(SECRET, 'test')]]
      : [pairOf(algorithm).privateKey, readKeys(pem(pairOf(algorithm).publicKey), 'test')];
    const text = await token({ jti: 'a', iat: SECOND - 1 }, { alg: algorithm }, key);
    expect(await verifyToken(text, rulesOf(issuer(keys)))).toMatchObject({
      subject: 'ann',
      tokenId: 'a',
      expiresAt: NOW + 60_000 + 5000,
      issuedAt: NOW - 1000,
    });
  });

  test('is refused, whichever of its characters is changed', async () => {
    const texts = [await token(), await token({}, { alg: 'ES256' }, pairs.ES256.privateKey)];
    const rules = rulesOf(
      issuer([secretKey(SECRET, 'test'), ...readKeys(pem(pairs.ES256.publicKey), 'test')]),
    );
    for (const text of texts) expect(await codeOf(verifyToken(text, rules))).toBe('accepted');
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ {}"';
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...texts),
        fc.nat(),
        fc.constantFrom('replace', 'drop', 'insert'),
        fc.constantFrom(...alphabet.split('')),
        async (text, where, how, character) => {
          const at = where % text.length;
          const mutant =
            text.slice(0, at) +
            (how === 'drop' ? '' : character) +
            text.slice(at + (how === 'insert' ? 0 : 1));
          fc.pre(mutant !== text && !isSameSignature(mutant, text));
          expect(await codeOf(verifyToken(mutant, rules))).toBe('auth/invalid-token');
        },
      ),
      { numRuns: 300 },
    );
  });

  test('is accepted from `nbf` to `exp`, each with the tolerance for clocks that differ, and at no other time', async () => {
    const offset = fc.integer({ min: -20, max: 20 });
    await fc.assert(
      fc.asyncProperty(offset, offset, offset, async (exp, nbf, iat) => {
        const text = await token({ exp: SECOND + exp, nbf: SECOND + nbf, iat: SECOND + iat });
        const code = await codeOf(verifyToken(text, rulesOf(shared)));
        const early = nbf > 5 || iat > 5;
        const late = exp <= -5;
        expect(code === 'accepted').toBe(!early && !late);
        if (late && !early) expect(code).toBe('auth/expired');
        if (early && !late) expect(code).toBe('auth/invalid-token');
      }),
      { numRuns: 100 },
    );
  });

  test('without `exp` is accepted only where the settings allow it', async () => {
    const text = await token({ exp: undefined });
    expect(await codeOf(verifyToken(text, rulesOf(shared)))).toBe('auth/invalid-token');
    const verified = await verifyToken(text, rulesOf({ ...shared, unexpiring: true }));
    expect(verified.expiresAt).toBeUndefined();
  });

  test('is for one of the audiences, if there are any', async () => {
    const rules = rulesOf({ ...shared, audiences: ['tidings', 'live'] });
    expect(await codeOf(verifyToken(await token({ aud: 'live' }), rules))).toBe('accepted');
    expect(await codeOf(verifyToken(await token({ aud: ['else', 'live'] }), rules))).toBe('accepted');
    expect(await codeOf(verifyToken(await token({ aud: 'else' }), rules))).toBe('auth/invalid-token');
    expect(await codeOf(verifyToken(await token(), rules))).toBe('auth/invalid-token');
  });

  test('has a subject that is compared as it stands: letters that look alike are not the same', async () => {
    const latin = await verifyToken(await token({ sub: 'admin' }), rulesOf(shared));
    const cyrillic = await verifyToken(await token({ sub: '\u0430dmin' }), rulesOf(shared));
    const composed = await verifyToken(await token({ sub: 'zo\u00eb' }), rulesOf(shared));
    const decomposed = await verifyToken(await token({ sub: 'zoe\u0308' }), rulesOf(shared));
    expect(new Set([latin, cyrillic, composed, decomposed].map(({ subject }) => subject))).toHaveLength(4);
  });

  test('with a claim twice counts with the last one, as RFC 7519 has it, in every use', async () => {
    const text = forge(
      { alg: 'HS256' },
      `{"sub":"root","exp":${SECOND - 60},"sub":"ann","exp":${SECOND + 60}}`,
    );
    const { subject, claims } = await verifyToken(text, rulesOf(shared));
    expect([subject, claims['sub']]).toEqual(['ann', 'ann']);
  });
});

/** Base64url has unused bits at the end: some characters stand for the same bytes. The signature is over the text. */
function isSameSignature(mutant: string, text: string): boolean {
  const [a, b] = [mutant.lastIndexOf('.'), text.lastIndexOf('.')];
  if (mutant.slice(0, a) !== text.slice(0, b)) return false;
  const bytes = (part: string) => Buffer.from(part, 'base64url').toString('hex');
  return /^[\w-]*$/.test(mutant.slice(a + 1)) && bytes(mutant.slice(a + 1)) === bytes(text.slice(b + 1));
}

describe('Several issuers', () => {
  const ann = issuer(readKeys(pem(pairs.Ed.publicKey), 'a'), {
    name: 'https://a.example',
    subjectPrefix: 'a:',
  });
  const bob = issuer(readKeys(pem(other.publicKey), 'b'), { name: 'https://b.example', subjectPrefix: 'b:' });

  test('are told apart by `iss`, each with keys and subjects of its own', async () => {
    const rules = rulesOf(ann, bob);
    const fromA = await token({ iss: ann.name }, { alg: 'EdDSA' }, pairs.Ed.privateKey);
    const fromB = await token({ iss: bob.name }, { alg: 'EdDSA' }, other.privateKey);
    expect((await verifyToken(fromA, rules)).subject).toBe('a:ann');
    expect((await verifyToken(fromB, rules)).subject).toBe('b:ann');
  });

  test('have ids of tokens of their own as well', async () => {
    const text = await token({ iss: ann.name, jti: '1' }, { alg: 'EdDSA' }, pairs.Ed.privateKey);
    expect((await verifyToken(text, rulesOf(ann, bob))).tokenId).toBe('a:1');
  });

  test.each([{ sub: 'staff:root' }, { jti: 'staff:7' }])(
    'refuse a token whose name is one of another issuer’s, though its own prefix is shorter: %o',
    async (claims) => {
      const user = { ...ann, subjectPrefix: '' };
      const staff = { ...bob, subjectPrefix: 'staff:' };
      const text = (issuer: string | undefined, key = pairs.Ed.privateKey) =>
        token({ iss: issuer, ...claims }, { alg: 'EdDSA' }, key);
      const rules = rulesOf(user, staff);
      expect(await codeOf(verifyToken(await text(user.name), rules))).toBe('auth/invalid-token');
      expect((await verifyToken(await text(staff.name, other.privateKey), rules)).issuer).toBe(staff);
    },
  );

  test.each([
    ['with the other one’s key', { iss: 'https://a.example' }, other.privateKey],
    ['without a name', {}, pairs.Ed.privateKey],
    ['with an unknown name', { iss: 'https://c.example' }, pairs.Ed.privateKey],
    ['with a list of names', { iss: ['https://a.example'] }, pairs.Ed.privateKey],
    ['with a name that is inherited by every object', { iss: 'constructor' }, pairs.Ed.privateKey],
  ])('refuse a token %s', async (_, claims, key) => {
    const text = await token(claims, { alg: 'EdDSA' }, key);
    expect(await codeOf(verifyToken(text, rulesOf(ann, bob)))).toBe('auth/invalid-token');
  });

  test('take tokens of anybody else’s name for one that has none, by its own key alone', async () => {
    const rules = rulesOf(ann, shared);
    expect(await codeOf(verifyToken(await token({ iss: 'whoever' }), rules))).toBe('accepted');
    expect(await codeOf(verifyToken(await token({ iss: ann.name }), rules))).toBe('auth/invalid-token');
  });
});
