import { createHmac, createSecretKey, generateKeyPairSync, sign as signWith } from 'node:crypto';
import { SignJWT } from 'jose';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ALGORITHMS, type Algorithm } from './algorithms.ts';
import { type VerificationKey, readKeys, secretKey, staticKeys } from './keys.ts';
import { type Issuer, type TokenRules, verifyToken } from './tokens.ts';

const NOW = Date.UTC(2030, 0, 1);
const SECOND = NOW / 1000;
const SECRET = 'x'.repeat(64);

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const pairs = {
  RS: rsa,
  PS: rsa,
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ES384: generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  ES512: generateKeyPairSync('ec', { namedCurve: 'P-521' }),
  Ed: generateKeyPairSync('ed25519'),
};
const other = generateKeyPairSync('ed25519');

function pairOf(algorithm: Algorithm) {
  const found = Object.entries(pairs).find(([name]) => algorithm.startsWith(name));
  if (found === undefined) throw new Error(`no key for ${algorithm}`);
  return found[1];
}

const pem = (key: { export(options: object): unknown }): string =>
  String(key.export({ type: 'spki', format: 'pem' }));

function issuer(keys: readonly VerificationKey[], more: Partial<Issuer> = {}): Issuer {
  return {
    name: undefined,
    keys: staticKeys(keys),
    algorithms: ALGORITHMS.filter((name) => keys.some(({ algorithms }) => algorithms.includes(name))),
    audiences: [],
    subjectPrefix: '',
    unexpiring: false,
    claim: 'tidings',
    grant: () => ({ publish: [], subscribe: [], private: [] }),
    ...more,
  };
}

const shared = issuer([secretKey(SECRET, 'test')]);
const byRsa = issuer(readKeys(pem(rsa.publicKey), 'test'));

const rulesOf = (...issuers: Issuer[]): TokenRules => ({ issuers, clockSkew: 5000, now: () => NOW });

function token(
  claims: Record<string, unknown> = {},
  header: Record<string, unknown> = {},
  key: Parameters<SignJWT['sign']>[0] = createSecretKey(Buffer.from(SECRET)),
): Promise<string> {
  return new SignJWT({ sub: 'ann', exp: SECOND + 60, ...claims })
    .setProtectedHeader({ alg: 'HS256', ...header } as never)
    .sign(key);
}

const encode = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** Signs anything, also what jose refuses to. */
function forge(header: unknown, claims: unknown, secret: string | Buffer = SECRET): string {
  const input = `${encode(header)}.${encode(claims)}`;
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
}

const codeOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'accepted',
    (error: unknown) => (error as { code?: unknown }).code,
  );

const GOOD = { sub: 'ann', exp: SECOND + 60 };

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
        fc.constantFrom(...alphabet),
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

  test.each([
    ['with the other one’s key', { iss: 'https://a.example' }, other.privateKey],
    ['without a name', {}, pairs.Ed.privateKey],
    ['with an unknown name', { iss: 'https://c.example' }, pairs.Ed.privateKey],
    ['with a list of names', { iss: ['https://a.example'] }, pairs.Ed.privateKey],
    ['with a name that is inherited by every object', { iss: 'constructor' }, pairs.Ed.privateKey],
  ])('refuse a token %s', async (_, claims, key) => {
    const text = await token(claims as Record<string, unknown>, { alg: 'EdDSA' }, key);
    expect(await codeOf(verifyToken(text, rulesOf(ann, bob)))).toBe('auth/invalid-token');
  });

  test('take tokens of anybody else’s name for one that has none, by its own key alone', async () => {
    const rules = rulesOf(ann, shared);
    expect(await codeOf(verifyToken(await token({ iss: 'whoever' }), rules))).toBe('accepted');
    expect(await codeOf(verifyToken(await token({ iss: ann.name }), rules))).toBe('auth/invalid-token');
  });
});

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
