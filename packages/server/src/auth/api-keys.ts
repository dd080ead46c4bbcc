import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { createError } from 'tidings/transport';
import { type Permissions, parseGrant } from './grants.ts';
import { invalidToken, Why } from './refusals.ts';

/** A key of a publisher, as the settings know it: its hash. The key itself is nowhere on the server. */
export interface ApiKey {
  readonly name: string;
  readonly digest: Buffer;
  readonly permissions: Permissions;
  /** Milliseconds since 1970. */
  readonly expiresAt: number | undefined;
}

/** As the settings write it. */
export interface ApiKeyInput {
  readonly name: string;
  /** `sha256:` and the hash in base64url, as `tidings token api-key` prints it. */
  readonly hash: string;
  readonly publish?: unknown;
  readonly subscribe?: unknown;
  readonly private?: unknown;
  /** A time of ISO 8601. */
  readonly expires?: string;
}

const PREFIX = 'tidings_';
const BYTES = 32;
const KEY = /^tidings_[\w-]{43}$/;
const HASH = /^sha256:([\w-]{43})$/;

/** @param random bytes for the key: 32. */
export function makeApiKey(random: Uint8Array = randomBytes(BYTES)): { key: string; hash: string } {
  const key = PREFIX + Buffer.from(random).toString('base64url');
  return { key, hash: `sha256:${digestOf(key).toString('base64url')}` };
}

/** Whether a credential is an API key rather than a JWT. */
export function looksLikeApiKey(text: string): boolean {
  return text.startsWith(PREFIX);
}

/** @throws {TidingsError} `config/invalid`. */
export function readApiKey(input: ApiKeyInput, from: string): ApiKey {
  const { name, hash: text, expires, ...grant } = input;
  const digest = HASH.exec(text)?.[1];
  if (digest === undefined) {
    const message = KEY.test(text)
      ? 'Expected the hash of the API key, got the key itself: replace it, since it may have been read here.'
      : 'Expected `hash` to be "sha256:" and 43 characters, as "tidings token api-key" prints it.';
    throw invalid(from, message);
  }
  const expiresAt = expires === undefined ? undefined : Date.parse(expires);
  if (Number.isNaN(expiresAt)) throw invalid(from, 'Expected `expires` to be a time, such as "2030-01-31".');
  try {
    const permissions = parseGrant(grant, from, 'template')({});
    return { name, digest: Buffer.from(digest, 'base64url'), permissions, expiresAt };
  } catch (cause) {
    throw invalid(from, cause instanceof Error ? cause.message : String(cause), cause);
  }
}

/**
 * Finds the key that was presented. Such keys have 256 random bits, so a fast hash is enough: there is nothing to guess.
 *
 * @throws {TidingsError} `auth/invalid-token`, `auth/expired` (401).
 */
export function findApiKey(text: string, keys: readonly ApiKey[], now: number): ApiKey {
  const digest = digestOf(text);
  // All of them, and each to its end: how long it takes says nothing about the keys.
  const [found] = keys.filter((key) => timingSafeEqual(key.digest, digest));
  if (found === undefined || !KEY.test(text)) {
    throw invalidToken('There is no such API key.', new Why(`it ends in "${text.slice(-4)}"`));
  }
  if (found.expiresAt === undefined || now < found.expiresAt) return found;
  throw createError('auth/expired', 'The API key has expired; get a new one.', {
    cause: new Why(`name: ${found.name}`),
  });
}

function digestOf(key: string): Buffer {
  return hash('sha256', key, 'buffer');
}

function invalid(from: string, message: string, cause?: unknown): Error {
  return createError('config/invalid', `${from}: ${message}`, { details: { setting: from }, cause });
}
