import { createError } from 'tidings/transport';
import type { TidingsError } from 'tidings';
import { describeUrl, shownUrl } from '../config/shown-url.ts';
import { type KeySource, type VerificationKey, keysOfSet, selectKeys } from './keys.ts';

/** A JWK set behind a URL: https://www.rfc-editor.org/rfc/rfc7517#section-5 */
export interface RemoteKeys extends KeySource {
  readonly url: string;
  /** Fetches the set unless that was done a moment ago. Resolves in any case: a failure goes to `warn`. */
  refresh(): Promise<void>;
  close(): void;
}

export interface RemoteKeysOptions {
  readonly now: () => number;
  /** Takes failures to fetch, and the first success after them. */
  readonly warn: (message: string, error?: unknown) => void;
  readonly fetch?: typeof fetch;
}

/** From this age on, the set is fetched again while its keys stay in use. */
const MAX_AGE = 10 * 60_000;
/** While it can't be fetched, its keys stay in use until this age. */
const MAX_STALE = 24 * 3_600_000;
/** A key id that the set doesn't have makes the server fetch it, but no more often than this: anybody can invent ids. */
const COOLDOWN = 30_000;
/** After a failure without any keys at hand, tokens wait for another attempt this long. */
const RETRY = 2_000;
const TIMEOUT = 5_000;
const MAX_BYTES = 256 * 1024;

/** The mutable part, as one value. */
interface State {
  keys: readonly VerificationKey[];
  /** When the keys were fetched. */
  fetchedAt: number;
  /** When fetching them was begun last. */
  triedAt: number;
  pending: Promise<void> | undefined;
  failing: boolean;
}

/** @throws {TidingsError} `config/invalid`. */
export function remoteKeys(address: string, from: string, options: RemoteKeysOptions): RemoteKeys {
  const url = checkUrl(address, from);
  const shown = shownUrl(url.href);
  const { now, warn } = options;
  const ended = new AbortController();
  const state: State = {
    keys: [],
    fetchedAt: -Infinity,
    triedAt: -Infinity,
    pending: undefined,
    failing: false,
  };

  function refresh(atMostEvery = COOLDOWN): Promise<void> {
    if (state.pending !== undefined) return state.pending;
    if (now() < state.triedAt + atMostEvery || ended.signal.aborted) return Promise.resolve();
    state.triedAt = now();
    state.pending = load().finally(() => (state.pending = undefined));
    return state.pending;
  }

  async function load(): Promise<void> {
    try {
      const signal = AbortSignal.any([ended.signal, AbortSignal.timeout(TIMEOUT)]);
      state.keys = keysOfSet(await fetchJson(url, signal, options.fetch ?? fetch), shown, false);
      state.fetchedAt = now();
      if (state.failing) warn(`The keys at ${shown} can be fetched again.`);
      state.failing = false;
    } catch (error) {
      if (ended.signal.aborted) return;
      state.failing = true;
      warn(`The keys at ${shown} can't be fetched: ${reasonOf(error)}`, error);
    }
  }

  return {
    url: url.href,
    refresh: () => refresh(),
    close: () => ended.abort(),
    async find(algorithm, kid) {
      const age = now() - state.fetchedAt;
      if (age > MAX_STALE) await refresh(RETRY);
      else if (age > MAX_AGE) void refresh();
      if (now() - state.fetchedAt > MAX_STALE) throw unavailable();
      const found = selectKeys(state.keys, algorithm, kid);
      if (found.length > 0) return found;
      await refresh();
      return selectKeys(state.keys, algorithm, kid);
    },
  };
}

function unavailable(): TidingsError {
  return createError('auth/unavailable', 'The keys that the token could be checked with can’t be fetched.', {
    details: { retryAfter: Math.ceil(RETRY / 1000) },
  });
}

function checkUrl(address: string, from: string): URL {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  const isLocal = url !== undefined && /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(url.hostname);
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && isLocal)) {
    if (url.username === '' && url.password === '') return url;
    throw invalid(from, 'Expected a URL without a user name and password.');
  }
  // Somebody able to change the keys in transit could sign anything.
  throw invalid(from, `Expected a URL that begins with https://, got ${describeUrl(address)}.`);
}

/** Follows no redirect: the keys are those at the URL that was set. */
async function fetchJson(url: URL, signal: AbortSignal, get: typeof fetch): Promise<unknown> {
  const headers = { accept: 'application/jwk-set+json, application/json' };
  const response = await get(url, { signal, headers, redirect: 'manual' });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`expected the status 200, got ${response.status || 'a redirect'}`);
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const body: AsyncIterable<Uint8Array> | readonly Uint8Array[] = response.body ?? [];
  for await (const chunk of body) {
    bytes += chunk.byteLength;
    if (bytes > MAX_BYTES) throw new Error(`expected at most ${MAX_BYTES} bytes, got more`);
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown;
}

/** `fetch` hides the reason in a cause. */
function reasonOf(error: unknown): string {
  const { cause } = error as { cause?: unknown };
  const reason = cause instanceof Error && error instanceof TypeError ? cause : error;
  return reason instanceof Error ? reason.message || reason.name : String(reason);
}

function invalid(from: string, message: string): TidingsError {
  return createError('config/invalid', `${from}: ${message}`, { details: { setting: from } });
}
