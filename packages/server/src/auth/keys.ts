import { type KeyObject, createPublicKey, createSecretKey } from 'node:crypto';
import { createError } from 'tidings/transport';
import { type Algorithm, algorithmsOf, isAlgorithm } from './algorithms.ts';

/** A key that signatures are checked with. */
export interface VerificationKey {
  readonly kid: string | undefined;
  readonly algorithms: readonly Algorithm[];
  readonly key: KeyObject;
}

/** The keys of an issuer. */
export interface KeySource {
  /**
   * The keys that may have made a signature; a key's id is compared, and nothing else is done with it.
   *
   * @throws {TidingsError} `auth/unavailable` (503) if they can't be had just now.
   */
  find(algorithm: Algorithm, kid: string | undefined): Promise<readonly VerificationKey[]>;
}

/** More signatures than this are not tried for one token: each costs the CPU some time. */
const MAX_CANDIDATES = 8;
const MAX_KEYS = 100;
const PEM = /-----BEGIN ([A-Z0-9 ]+)-----[^-]+-----END \1-----/g;

/** Keys with the token's key id; without one, or if no key has it, those without an id. */
export function selectKeys(
  keys: readonly VerificationKey[],
  algorithm: Algorithm,
  kid: string | undefined,
): readonly VerificationKey[] {
  const fitting = keys.filter(({ algorithms }) => algorithms.includes(algorithm));
  if (kid === undefined) return fitting.slice(0, MAX_CANDIDATES);
  const named = fitting.filter((key) => key.kid === kid);
  const chosen = named.length > 0 ? named : fitting.filter((key) => key.kid === undefined);
  return chosen.slice(0, MAX_CANDIDATES);
}

/**
 * A secret that the issuer shares with the server: its UTF-8 bytes are the key, or those that follow `base64:`.
 *
 * @throws {TidingsError} `config/invalid`.
 */
export function secretKey(secret: string, from: string): VerificationKey {
  // As a secret, a public key would be known to everybody.
  if (secret.includes('-----BEGIN')) {
    throw invalid(from, 'Expected a secret, got a key in PEM. Set it as a public key instead.');
  }
  const encoded = /^base64:(.*)$/s.exec(secret)?.[1];
  const bytes = encoded === undefined ? Buffer.from(secret, 'utf8') : decodeBase64(encoded, from);
  if (bytes.length === 0) throw invalid(from, 'Expected a secret, got an empty text.');
  return usable(createSecretKey(bytes), {}, from);
}

/**
 * Public keys as PEM (one or several blocks: `PUBLIC KEY`, `CERTIFICATE`), as JWK, or as a JWK set.
 *
 * @throws {TidingsError} `config/invalid`.
 */
export function readKeys(text: string, from: string): readonly VerificationKey[] {
  if (text.trimStart().startsWith('{')) return readJson(text, from);
  const blocks = [...text.matchAll(PEM)];
  if (blocks.length === 0) throw invalid(from, 'Expected a public key in PEM, a JWK or a JWK set.');
  return blocks.map(([block, label = '']) => {
    if (label.includes('PRIVATE')) throw privateKey(from);
    return usable(importKey(block, from), {}, from);
  });
}

function readJson(text: string, from: string): readonly VerificationKey[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    // The parser's own message quotes the text, which may be a key.
    throw invalid(from, 'Expected a JWK or a JWK set, got broken JSON.');
  }
  if (Array.isArray((parsed as { keys?: unknown }).keys)) return keysOfSet(parsed, from, true);
  return [keyOfJwk(parsed as Jwk, from)];
}

type Jwk = Readonly<Record<string, unknown>>;

/**
 * Leaves out keys that serve another end (`use`, `key_ops`), or are of a kind that we don't know: sets name those as well.
 *
 * @param secrets whether the set may have secrets. One that came over the network may not.
 * @throws {TidingsError} `config/invalid` if none is left.
 */
export function keysOfSet(set: unknown, from: string, secrets: boolean): readonly VerificationKey[] {
  const jwks = (set as { keys?: unknown } | null)?.keys;
  if (!Array.isArray(jwks)) throw invalid(from, 'Expected a JWK set: an object with a list `keys`.');
  if (jwks.length > MAX_KEYS) {
    throw invalid(from, `Expected at most ${MAX_KEYS} keys, got ${jwks.length}.`);
  }
  const failures: unknown[] = [];
  const keys = jwks.flatMap((jwk: unknown) => {
    try {
      return isForSignatures(jwk) && (secrets || jwk['kty'] !== 'oct') ? [keyOfJwk(jwk, from)] : [];
    } catch (error) {
      failures.push(error);
      return [];
    }
  });
  if (keys.length > 0) return keys;
  const [cause] = failures;
  const why = cause instanceof Error ? ` ${cause.message}` : '';
  throw invalid(from, `Expected a JWK set with a key for signatures, got none.${why}`, cause);
}

function isForSignatures(jwk: unknown): jwk is Jwk {
  if (typeof jwk !== 'object' || jwk === null) return false;
  const { use = 'sig', key_ops: uses = ['verify'] } = jwk as { use?: unknown; key_ops?: unknown };
  return use === 'sig' && Array.isArray(uses) && uses.includes('verify');
}

function keyOfJwk(jwk: Jwk, from: string): VerificationKey {
  const { kty, k, d, kid, alg } = jwk;
  if (d !== undefined) throw privateKey(from);
  if (kty === 'oct' && typeof k === 'string') {
    return usable(createSecretKey(decodeBase64(k, from)), { kid, alg }, from);
  }
  return usable(importKey({ key: jwk as never, format: 'jwk' }, from), { kid, alg }, from);
}

function importKey(input: Parameters<typeof createPublicKey>[0], from: string): KeyObject {
  try {
    return createPublicKey(input);
  } catch (cause) {
    throw invalid(from, 'Expected a public key, got something that is none.', cause);
  }
}

function usable(
  key: KeyObject,
  { kid, alg }: { kid?: unknown; alg?: unknown },
  from: string,
): VerificationKey {
  const algorithms = algorithmsOf(key);
  if (typeof algorithms === 'string') throw invalid(from, algorithms);
  if (kid !== undefined && typeof kid !== 'string') throw invalid(from, 'Expected `kid` to be a string.');
  if (alg === undefined) return { kid, algorithms, key };
  if (isAlgorithm(alg) && algorithms.includes(alg)) return { kid, algorithms: [alg], key };
  throw invalid(from, `Expected \`alg\` to be one of ${algorithms.join(', ')}, got ${JSON.stringify(alg)}.`);
}

function decodeBase64(text: string, from: string): Buffer {
  const trimmed = text.trim();
  if (!/^[\w+/-]+={0,2}$/.test(trimmed)) throw invalid(from, 'Expected base64, got other characters.');
  return Buffer.from(trimmed, 'base64');
}

function privateKey(from: string): Error {
  return invalid(
    from,
    'Expected a public key, got a private one, which the server has no use for: it could only be stolen here. ' +
      '"openssl pkey -in private.pem -pubout" prints the public key.',
  );
}

/** `from` is the setting, or the file, that the key comes from; messages never contain the key. */
function invalid(from: string, message: string, cause?: unknown): Error {
  return createError('config/invalid', `${from}: ${message}`, { details: { setting: from }, cause });
}
