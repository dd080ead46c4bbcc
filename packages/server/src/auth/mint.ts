import { type KeyObject, createPrivateKey, createSecretKey } from 'node:crypto';
import { SignJWT } from 'jose';
import { createError } from 'tidings/transport';
import { type Algorithm, algorithmsOf } from './algorithms.ts';
import { type GrantInput, parseGrant } from './grants.ts';
import { secretKey } from './keys.ts';

/** The key that signs tokens. */
export interface SigningKey {
  readonly key: KeyObject;
  readonly algorithms: readonly Algorithm[];
  readonly kid: string | undefined;
}

export interface MintOptions {
  readonly key: SigningKey;
  /** Default: the key's first. */
  readonly algorithm?: Algorithm;
  /** The claim for the permissions. */
  readonly claim: string;
  readonly grant: GrantInput;
  readonly subject?: string;
  readonly issuer?: string;
  readonly audience?: string;
  /** `jti`: what the token can be revoked by. */
  readonly id?: string;
  /** How long it is valid, in seconds. */
  readonly lifetime: number;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** @throws {TidingsError} `config/invalid`, `topic/*`. */
export async function mintToken(options: MintOptions): Promise<string> {
  const { key, claim, grant, now, lifetime, algorithm = key.algorithms[0] } = options;
  if (algorithm === undefined || !key.algorithms.includes(algorithm)) {
    throw invalid('algorithm', `Expected one of ${key.algorithms.join(', ')}, got ${String(algorithm)}.`);
  }
  parseGrant(grant, claim, 'topic');
  const seconds = Math.floor(now / 1000);
  const claims = {
    [claim]: grant,
    iat: seconds,
    exp: seconds + lifetime,
    ...(options.subject !== undefined && { sub: options.subject }),
    ...(options.issuer !== undefined && { iss: options.issuer }),
    ...(options.audience !== undefined && { aud: options.audience }),
    ...(options.id !== undefined && { jti: options.id }),
  };
  const header = { alg: algorithm, typ: 'JWT', ...(key.kid !== undefined && { kid: key.kid }) };
  return new SignJWT(claims).setProtectedHeader(header).sign(key.key);
}

/**
 * A private key as PEM or JWK.
 *
 * @throws {TidingsError} `config/invalid`.
 */
export function readSigningKey(text: string, from: string): SigningKey {
  let key: KeyObject;
  let kid: unknown;
  try {
    if (text.trimStart().startsWith('{')) {
      const jwk = JSON.parse(text) as {
        readonly kty?: unknown;
        readonly k?: unknown;
        readonly kid?: unknown;
      };
      kid = jwk.kid;
      key =
        jwk.kty === 'oct'
          ? createSecretKey(Buffer.from(String(jwk.k), 'base64url'))
          : createPrivateKey({ key: jwk as never, format: 'jwk' });
    } else {
      key = createPrivateKey(text);
    }
  } catch (cause) {
    throw invalid(from, 'Expected a private key in PEM or as a JWK.', cause);
  }
  const algorithms = algorithmsOf(key);
  if (typeof algorithms === 'string') throw invalid(from, algorithms);
  return { key, algorithms, kid: typeof kid === 'string' ? kid : undefined };
}

/** @throws {TidingsError} `config/invalid`. */
export function signingSecret(secret: string, from: string): SigningKey {
  return secretKey(secret, from);
}

function invalid(from: string, message: string, cause?: unknown): Error {
  return createError('config/invalid', `${from}: ${message}`, { details: { setting: from }, cause });
}
