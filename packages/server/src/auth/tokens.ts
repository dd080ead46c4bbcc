import type { KeyObject } from 'node:crypto';
import {
  errors,
  type JWTPayload,
  type JWTVerifyOptions,
  decodeJwt,
  decodeProtectedHeader,
  jwtVerify,
} from 'jose';
import type { TidingsError } from 'tidings';
import { createError, describe } from 'tidings/transport';
import { type Algorithm, isAlgorithm } from './algorithms.ts';
import type { GrantRule } from './grants.ts';
import type { KeySource, VerificationKey } from './keys.ts';
import type { KnownToken, KnownTokens } from './known-tokens.ts';
import { Why, invalidToken } from './refusals.ts';
import type { Claims } from './template.ts';

/** An issuer whose tokens the server accepts, and the keys it knows them by. */
export interface Issuer {
  /** The `iss` of its tokens. Undefined: takes the tokens of all that no other issuer names. */
  readonly name: string | undefined;
  readonly keys: KeySource;
  readonly algorithms: readonly Algorithm[];
  /** One of these is in the `aud` of its tokens. Empty: `aud` isn't looked at. */
  readonly audiences: readonly string[];
  /** Comes before `sub` and `jti`: the same `sub` of two issuers is two people. */
  readonly subjectPrefix: string;
  /** Whether its tokens may go without `exp`. */
  readonly unexpiring: boolean;
  /** The claim with a token's own permissions. */
  readonly claim: string;
  /** The permissions of all its tokens. */
  readonly grant: GrantRule;
}

/** A token whose signature and times were checked. */
export interface VerifiedToken {
  readonly issuer: Issuer;
  readonly claims: Claims;
  readonly subject: string | undefined;
  readonly tokenId: string | undefined;
  /** Milliseconds since 1970, with the tolerance for clocks that differ. */
  readonly expiresAt: number | undefined;
  readonly issuedAt: number | undefined;
}

export interface TokenRules {
  readonly issuers: readonly Issuer[];
  /** Milliseconds by which clocks may differ. */
  readonly clockSkew: number;
  readonly now: () => number;
  /** Values of the header's `typ` that are accepted, in lower case and without `application/`. */
  readonly types?: readonly string[];
  /** Whether the header needs a `typ`. */
  readonly typeRequired?: boolean;
  /** Tokens of these issuers whose signature was checked before. */
  readonly known?: KnownTokens;
}

const MAX_TOKEN_LENGTH = 8192;
const MAX_NAME_LENGTH = 512;
/** https://www.rfc-editor.org/rfc/rfc9068#section-2.1; a token of another type, such as for a logout, was made for another end. */
const TYPES = ['jwt', 'at+jwt'];
/** Three texts in base64url: header, claims, signature. https://www.rfc-editor.org/rfc/rfc7515#section-7.1 */
const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]*$/;
/** C0 controls and DEL would end a line in a log; UTF-8 has no half surrogate pairs. */
// oxlint-disable-next-line no-control-regex
const UNUSABLE = /[\u0000-\u001f\u007f]|\p{Surrogate}/u;
/** Subjects of API keys begin with this: no token may pass for one. */
export const API_KEY_SUBJECT = 'api-key/';

/**
 * Checks a JWT: https://www.rfc-editor.org/rfc/rfc7519#section-7.2, with the practices of RFC 8725.
 *
 * @throws {TidingsError} `auth/invalid-token`, `auth/expired` (401), `auth/unavailable` (503).
 */
export async function verifyToken(token: string, rules: TokenRules): Promise<VerifiedToken> {
  if (token.length > MAX_TOKEN_LENGTH) {
    throw invalidToken(`The token is longer than ${MAX_TOKEN_LENGTH} characters.`);
  }
  const known = rules.known?.find(token);
  if (known !== undefined && (await isStillGood(known, rules))) return known.token;
  // A token that is no longer good gets the error for that.
  rules.known?.forget(token);
  const { algorithm, kid, typ } = readHeader(token, rules);
  const issuer = issuerOf(token, rules.issuers);
  if (!issuer.algorithms.includes(algorithm)) throw wrongAlgorithm(algorithm, issuer);
  const keys = await issuer.keys.find(algorithm, kid);
  const { payload, key } = await verifyByOne(keys, token, optionsOf(issuer, algorithm, rules), kid);
  const verified = toVerified(payload, issuer, rules);
  rules.known?.add(token, { token: verified, algorithm, kid, typ, key });
  return verified;
}

/** Checks the things that can change after a signature was checked: the time, the keys; and each door has its own types. */
async function isStillGood(
  { token, algorithm, kid, typ, key }: KnownToken,
  rules: TokenRules,
): Promise<boolean> {
  const { exp, nbf, iat } = token.claims as JWTPayload;
  const now = Math.floor(rules.now() / 1000);
  const skew = rules.clockSkew / 1000;
  if (exp !== undefined && exp <= now - skew) return false;
  // A clock may be set back.
  if ((nbf !== undefined && nbf > now + skew) || (iat !== undefined && iat > now + skew)) return false;
  if (!isAcceptedType(typ, rules)) return false;
  const keys = await token.issuer.keys.find(algorithm, kid);
  return keys.some((each) => each.key === key);
}

/** The header is the sender's word alone. Its `jku`, `jwk`, `x5u` and `x5c`, which would bring keys, are never looked at. */
function readHeader(
  token: string,
  rules: TokenRules,
): { readonly algorithm: Algorithm; readonly kid: string | undefined; readonly typ: unknown } {
  const { alg, kid, typ, crit } = COMPACT.test(token) ? decodeHeader(token) : malformed();
  if (!isAlgorithm(alg)) {
    throw invalidToken('The token isn’t signed by an algorithm that is accepted here.', why({ alg }));
  }
  if (crit !== undefined) throw invalidToken('The token’s header has `crit`, which is not supported.');
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > MAX_NAME_LENGTH)) {
    throw invalidToken('The token’s `kid` is no string, or too long.');
  }
  if (isAcceptedType(typ, rules)) return { algorithm: alg, kid, typ };
  const { types = TYPES } = rules;
  throw invalidToken(
    `The token’s \`typ\` is not one of those that are accepted here: ${types.join(', ')}.`,
    why({ typ }),
  );
}

function isAcceptedType(typ: unknown, { types = TYPES, typeRequired = false }: TokenRules): boolean {
  if (typ === undefined) return !typeRequired;
  return typeof typ === 'string' && types.includes(typ.toLowerCase().replace(/^application\//, ''));
}

function decodeHeader(token: string): Readonly<Record<string, unknown>> {
  try {
    return decodeProtectedHeader(token);
  } catch (cause) {
    return malformed(cause);
  }
}

function malformed(cause?: unknown): never {
  throw invalidToken('The token is no signed JWT: a header, claims and a signature in base64url.', cause);
}

/** By what the token claims; the issuer's keys then prove it. */
function issuerOf(token: string, issuers: readonly Issuer[]): Issuer {
  let iss: unknown;
  try {
    ({ iss } = decodeJwt(token));
  } catch (cause) {
    return malformed(cause);
  }
  const issuer =
    (iss === undefined ? undefined : issuers.find(({ name }) => name === iss)) ??
    issuers.find(({ name }) => name === undefined);
  if (issuer !== undefined) return issuer;
  throw invalidToken('The token’s issuer (`iss`) is not one that is accepted here.', why({ iss }));
}

function wrongAlgorithm(algorithm: Algorithm, { name, algorithms }: Issuer): TidingsError {
  return invalidToken(
    `The token is signed with ${algorithm}, which is not accepted here.`,
    why({ issuer: name, accepted: algorithms.join(', ') }),
  );
}

function optionsOf(issuer: Issuer, algorithm: Algorithm, rules: TokenRules): JWTVerifyOptions {
  return {
    algorithms: [algorithm],
    currentDate: new Date(rules.now()),
    clockTolerance: rules.clockSkew / 1000,
    ...(issuer.name !== undefined && { issuer: issuer.name }),
    ...(issuer.audiences.length > 0 && { audience: [...issuer.audiences] }),
  };
}

async function verifyByOne(
  keys: readonly VerificationKey[],
  token: string,
  options: JWTVerifyOptions,
  kid: string | undefined,
): Promise<{ readonly payload: JWTPayload; readonly key: KeyObject }> {
  for (const { key } of keys) {
    try {
      return { payload: (await jwtVerify(token, key, options)).payload, key };
    } catch (error) {
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw toRefusal(error);
    }
  }
  throw keys.length === 0
    ? invalidToken('No key of the token’s issuer fits it.', why({ kid, alg: options.algorithms?.[0] }))
    : invalidToken('The token’s signature is not by a key of its issuer.', why({ kid, tried: keys.length }));
}

/** Says which claim is wrong, without its value. */
function toRefusal(error: unknown): TidingsError {
  if (error instanceof errors.JWTExpired) {
    return createError('auth/expired', 'The token has expired; get a new one.', { cause: error });
  }
  if (!(error instanceof errors.JWTClaimValidationFailed)) {
    return invalidToken('The token is no JWT that can be read.', error);
  }
  const { claim, reason } = error;
  if (claim === 'nbf' && reason === 'check_failed') {
    return invalidToken('The token is not valid yet (`nbf`). Do the clocks differ?', error);
  }
  if (claim === 'aud') return invalidToken('The token is for somebody else (`aud`).', error);
  return invalidToken(`The token’s claim \`${claim}\` is missing or wrong.`, error);
}

function toVerified(payload: JWTPayload, issuer: Issuer, rules: TokenRules): VerifiedToken {
  const { sub, jti, exp, iat, nbf } = payload;
  for (const [name, value] of Object.entries({ exp, iat, nbf })) {
    // JSON's 1e999 is Infinity: a token that never expires, unnoticed.
    if (value !== undefined && (!Number.isFinite(value) || value < 0)) {
      throw invalidToken(`The token’s claim \`${name}\` is no time.`);
    }
  }
  if (exp === undefined && !issuer.unexpiring) {
    throw invalidToken('The token never expires: it has no claim `exp`.');
  }
  if (iat !== undefined && iat * 1000 > rules.now() + rules.clockSkew) {
    throw invalidToken('The token was issued in the future (`iat`). Do the clocks differ?');
  }
  const subject = qualify('sub', sub, issuer, rules);
  const tokenId = qualify('jti', jti, issuer, rules);
  if (subject?.startsWith(API_KEY_SUBJECT) === true) {
    throw invalidToken(`The token’s subject begins with "${API_KEY_SUBJECT}", as only those of API keys do.`);
  }
  return {
    issuer,
    claims: payload,
    subject,
    tokenId,
    expiresAt: exp === undefined ? undefined : exp * 1000 + rules.clockSkew,
    issuedAt: iat === undefined ? undefined : iat * 1000,
  };
}

/** A name that no token of another issuer can have. */
function qualify(
  claim: string,
  value: string | undefined,
  { subjectPrefix }: Issuer,
  { issuers }: TokenRules,
): string | undefined {
  assertName(claim, value);
  if (value === undefined) return undefined;
  const name = subjectPrefix + value;
  // "a/" and "b" could otherwise pass for "a/b" and nothing.
  const other = issuers.find(
    (each) => each.subjectPrefix.length > subjectPrefix.length && name.startsWith(each.subjectPrefix),
  );
  if (other === undefined) return name;
  throw invalidToken(
    `The token’s \`${claim}\` begins like those of another issuer.`,
    why({ claim: name, reserved: other.subjectPrefix }),
  );
}

function assertName(claim: string, value: unknown): void {
  if (value === undefined) return;
  if (typeof value === 'string' && value !== '' && value.length <= MAX_NAME_LENGTH && !UNUSABLE.test(value))
    return;
  throw invalidToken(
    `The token’s claim \`${claim}\` is no text of 1 to ${MAX_NAME_LENGTH} characters without control characters.`,
  );
}

/** The text of a header or a claim, cut short: it may come from a stranger. */
function why(facts: Readonly<Record<string, unknown>>): Why {
  return new Why(
    Object.entries(facts)
      .map(([name, value]) => `${name}: ${describe(value)}`)
      .join(', '),
  );
}
