import { TidingsError } from 'tidings';
import { createError } from 'tidings/transport';
import { whyUnreadable } from '../config/unreadable.ts';
import { ALGORITHMS, type Algorithm, isAlgorithm } from './algorithms.ts';
import { type GrantInput, type GrantMatcher, parseGrant } from './grants.ts';
import { type KeySource, type VerificationKey, readKeys, secretKey, selectKeys } from './keys.ts';
import { type RemoteKeys, type RemoteKeysOptions, remoteKeys } from './remote-keys.ts';
import type { Issuer } from './tokens.ts';

/** An issuer of tokens, as the settings write it. */
export interface IssuerInput {
  readonly issuer?: string;
  readonly audience?: string | readonly string[];
  readonly algorithms?: readonly string[];
  readonly 'secret-file'?: string;
  readonly 'keys-file'?: string;
  readonly 'jwks-url'?: string;
  readonly 'subject-prefix'?: string;
  readonly unexpiring?: boolean;
  readonly claim?: string;
  readonly publish?: readonly GrantMatcher[];
  readonly subscribe?: readonly GrantMatcher[];
  readonly private?: readonly GrantMatcher[];
}

/** One of a list, or the one of the settings `auth.jwt.…`. */
export interface IssuerSource {
  /** Its name in messages. */
  readonly from: string;
  readonly input: IssuerInput;
  /** The secret of `auth.jwt.secret`, which was read already. */
  readonly secret?: string;
}

export interface IssuersOptions extends RemoteKeysOptions {
  /** Reads a file as text. */
  readonly read: (path: string) => Promise<string>;
}

export interface Issuers {
  readonly list: readonly Issuer[];
  readonly remote: readonly RemoteKeys[];
}

export const OWN_CLAIM = 'tidings';

/**
 * Reads and checks all keys. Keys behind a URL are fetched later, by the first token or by `refresh`.
 *
 * @param known keys behind URLs that are in use: a reload doesn't forget them.
 * @throws {TidingsError} `config/invalid`, `config/unreadable`.
 */
export async function readIssuers(
  sources: readonly IssuerSource[],
  options: IssuersOptions,
  known: readonly RemoteKeys[] = [],
): Promise<Issuers> {
  assertDistinct(sources.map(({ input }) => input));
  const used = new Map<string, RemoteKeys>();
  const remoteKeysOf = (address: string, from: string): RemoteKeys => {
    const made = remoteKeys(address, `${from}.jwks-url`, options);
    const keys = used.get(made.url) ?? known.find(({ url }) => url === made.url) ?? made;
    used.set(keys.url, keys);
    return keys;
  };
  const list = await Promise.all(
    sources.map(async (source) => {
      const { from, input } = source;
      const fixed = await readFixedKeys(source, options.read);
      const address = input['jwks-url'];
      const fetched = address === undefined ? undefined : remoteKeysOf(address, from);
      if (fetched !== undefined || fixed.length > 0) return toIssuer(source, fixed, fetched);
      throw invalid(from, 'Expected a secret, public keys or the URL of a JWK set, got none of them.');
    }),
  );
  return { list, remote: [...used.values()] };
}

async function readFixedKeys(
  { from, input, secret }: IssuerSource,
  read: IssuersOptions['read'],
): Promise<readonly VerificationKey[]> {
  const found: VerificationKey[] = [];
  if (secret !== undefined) found.push(secretKey(secret, `${from}.secret`));
  const { 'secret-file': secretFile, 'keys-file': keysFile } = input;
  if (secretFile !== undefined) {
    const text = await readFrom(secretFile, `${from}.secret-file`, read);
    // Editors and `echo` end a file with a line end.
    found.push(secretKey(text.replace(/\r?\n$/, ''), `${from}.secret-file`));
  }
  if (keysFile !== undefined) {
    found.push(...readKeys(await readFrom(keysFile, `${from}.keys-file`, read), `${from}.keys-file`));
  }
  return found;
}

/** @throws {TidingsError} `config/unreadable`. */
export async function readFrom(path: string, setting: string, read: IssuersOptions['read']): Promise<string> {
  try {
    return await read(path);
  } catch (cause) {
    throw createError('config/unreadable', `${setting}: ${path} can’t be read: ${whyUnreadable(cause)}.`, {
      details: { setting, path },
      cause,
    });
  }
}

function toIssuer(
  { from, input }: IssuerSource,
  fixed: readonly VerificationKey[],
  fetched: RemoteKeys | undefined,
): Issuer {
  const { issuer, audience = [], unexpiring = false, claim = OWN_CLAIM, publish, subscribe } = input;
  return {
    name: issuer,
    keys: sourceOf(fixed, fetched),
    algorithms: algorithmsOfIssuer(input, from, fixed, fetched !== undefined),
    audiences: typeof audience === 'string' ? [audience] : audience,
    subjectPrefix: input['subject-prefix'] ?? '',
    unexpiring,
    claim,
    grant: readGrant({ publish, subscribe, private: input.private }, from),
  };
}

function readGrant(
  fields: { readonly [Name in keyof GrantInput]: GrantInput[Name] | undefined },
  from: string,
): Issuer['grant'] {
  const given = Object.fromEntries(Object.entries(fields).filter(([, list]) => list !== undefined));
  try {
    return parseGrant(given, from, 'template');
  } catch (error) {
    throw error instanceof TidingsError ? invalid(from, error.message, error) : error;
  }
}

/** Keys at a URL are asked for unless a key at hand has the token's key id. */
function sourceOf(fixed: readonly VerificationKey[], fetched: RemoteKeys | undefined): KeySource {
  return {
    async find(algorithm, kid) {
      const found = selectKeys(fixed, algorithm, kid);
      if (fetched === undefined || found.some((key) => key.kid !== undefined && key.kid === kid))
        return found;
      return [...found, ...(await fetched.find(algorithm, kid))];
    },
  };
}

/** The algorithms that are allowed and that the keys can be used with. A URL never brings secrets, so never HS. */
function algorithmsOfIssuer(
  { algorithms }: IssuerInput,
  from: string,
  fixed: readonly VerificationKey[],
  isRemote: boolean,
): readonly Algorithm[] {
  const possible = ALGORITHMS.filter(
    (algorithm) =>
      (isRemote && !algorithm.startsWith('HS')) || fixed.some((key) => key.algorithms.includes(algorithm)),
  );
  if (algorithms === undefined) return possible;
  const wrong = algorithms.find((name) => !isAlgorithm(name) || !possible.includes(name));
  if (wrong === undefined && algorithms.length > 0) return algorithms.filter(isAlgorithm);
  throw invalid(
    `${from}.algorithms`,
    `Expected algorithms that the keys can be used with (${possible.join(', ')}), got ${wrong ?? 'an empty list'}.`,
  );
}

/** @throws {TidingsError} `config/invalid`. */
function assertDistinct(inputs: readonly IssuerInput[]): void {
  const names = new Set(inputs.map(({ issuer }) => issuer));
  if (names.size < inputs.length) {
    throw invalid('auth.issuers', 'Expected each issuer to have another `issuer`, got one twice.');
  }
  if (inputs.length < 2 || inputs.every((input) => input['subject-prefix'] !== undefined)) return;
  throw invalid(
    'auth.issuers',
    'Expected each of several issuers to have a `subject-prefix`: "" where the same `sub` means the same person.',
  );
}

function invalid(from: string, message: string, cause?: unknown): TidingsError {
  return createError('config/invalid', `${from}: ${message}`, { details: { setting: from }, cause });
}
