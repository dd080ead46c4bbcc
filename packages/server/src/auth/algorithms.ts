import type { KeyObject } from 'node:crypto';

/** The signature algorithms of https://www.rfc-editor.org/rfc/rfc7518#section-3.1 and RFC 8037, without `none`. */
export const ALGORITHMS = [
  'HS256',
  'HS384',
  'HS512',
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const;

export type Algorithm = (typeof ALGORITHMS)[number];

const RSA: readonly Algorithm[] = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'];
const CURVES: Readonly<Record<string, Algorithm>> = {
  prime256v1: 'ES256',
  secp384r1: 'ES384',
  secp521r1: 'ES512',
};

const MIN_RSA_BITS = 2048;
/** A secret is at least as long as the hash: https://www.rfc-editor.org/rfc/rfc7518#section-3.2 */
const MIN_SECRET_BYTES: Readonly<Partial<Record<Algorithm, number>>> = { HS256: 32, HS384: 48, HS512: 64 };

export function isAlgorithm(name: unknown): name is Algorithm {
  return (ALGORITHMS as readonly unknown[]).includes(name);
}

/**
 * The algorithms that a key may be used with. They follow from the key alone: no token can choose to have a public key
 * taken for a secret.
 *
 * @returns why there is none, as a sentence, if so.
 */
export function algorithmsOf(key: KeyObject): readonly Algorithm[] | string {
  if (key.type === 'secret') return algorithmsOfSecret(key.symmetricKeySize ?? 0);
  const { modulusLength = 0, namedCurve = '' } = key.asymmetricKeyDetails ?? {};
  const type = key.asymmetricKeyType;
  if (type === 'rsa') {
    if (modulusLength >= MIN_RSA_BITS) return RSA;
    return `Expected an RSA key of ${MIN_RSA_BITS} bits or more, got one of ${modulusLength}.`;
  }
  if (type === 'ec') {
    const algorithm = CURVES[namedCurve];
    if (algorithm !== undefined) return [algorithm];
    return `Expected a key on the curve P-256, P-384 or P-521, got ${namedCurve}.`;
  }
  if (type === 'ed25519') return ['EdDSA', 'Ed25519'];
  return `Expected a key for RSA, ECDSA or Ed25519, got one for ${type ?? 'something else'}.`;
}

function algorithmsOfSecret(bytes: number): readonly Algorithm[] | string {
  const usable = (['HS256', 'HS384', 'HS512'] as const).filter(
    (algorithm) => bytes >= (MIN_SECRET_BYTES[algorithm] ?? Infinity),
  );
  if (usable.length > 0) return usable;
  return `Expected a secret of 32 bytes or more, got ${bytes}: make one with "openssl rand -base64 32".`;
}
