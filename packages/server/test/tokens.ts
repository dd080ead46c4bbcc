import { createHmac, createSecretKey, generateKeyPairSync } from 'node:crypto';
import { SignJWT } from 'jose';
import { ALGORITHMS, type Algorithm } from '../src/auth/algorithms.ts';
import { type VerificationKey, readKeys, secretKey, selectKeys } from '../src/auth/keys.ts';
import type { Issuer, TokenRules } from '../src/auth/tokens.ts';

export const NOW = Date.UTC(2030, 0, 1);
export const SECOND = NOW / 1000;
export const SECRET = 'x'.repeat(64);

export const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
export const pairs = {
  RS: rsa,
  PS: rsa,
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ES384: generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  ES512: generateKeyPairSync('ec', { namedCurve: 'P-521' }),
  Ed: generateKeyPairSync('ed25519'),
};
export const other = generateKeyPairSync('ed25519');

export function pairOf(algorithm: Algorithm) {
  const found = Object.entries(pairs).find(([name]) => algorithm.startsWith(name));
  if (found === undefined) throw new Error(`no key for ${algorithm}`);
  return found[1];
}

export const pem = (key: { export(options: object): unknown }): string =>
  String(key.export({ type: 'spki', format: 'pem' }));

export function issuer(keys: readonly VerificationKey[], more: Partial<Issuer> = {}): Issuer {
  return {
    name: undefined,
    keys: { find: (algorithm, kid) => Promise.resolve(selectKeys(keys, algorithm, kid)) },
    algorithms: ALGORITHMS.filter((name) => keys.some(({ algorithms }) => algorithms.includes(name))),
    audiences: [],
    subjectPrefix: '',
    unexpiring: false,
    claim: 'tidings',
    grant: () => ({ publish: [], subscribe: [], private: [] }),
    ...more,
  };
}

export const shared = issuer([secretKey(SECRET, 'test')]);
export const byRsa = issuer(readKeys(pem(rsa.publicKey), 'test'));

export const rulesOf = (...issuers: Issuer[]): TokenRules => ({ issuers, clockSkew: 5000, now: () => NOW });

export function token(
  claims: Record<string, unknown> = {},
  header: Record<string, unknown> = {},
  key: Parameters<SignJWT['sign']>[0] = createSecretKey(Buffer.from(SECRET)),
): Promise<string> {
  return new SignJWT({ sub: 'ann', exp: SECOND + 60, ...claims })
    .setProtectedHeader({ alg: 'HS256', ...header })
    .sign(key);
}

export const encode = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** Signs anything, also what jose refuses to. */
export function forge(header: unknown, claims: unknown, secret: string | Buffer = SECRET): string {
  const input = `${encode(header)}.${encode(claims)}`;
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
}

export const codeOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'accepted',
    (error: unknown) => (error as { code?: unknown }).code,
  );

export const GOOD = { sub: 'ann', exp: SECOND + 60 };
