import { TidingsError } from '../protocol/tidings-error.ts';
import { DEFAULT_MAX_EVENT_BYTES } from '../protocol/decode.ts';
import type { Matcher } from '../protocol/matcher.ts';
import { DEFAULT_RETRY, type RetryPolicy } from './backoff.ts';
import { resolveUrl, takeTopics } from './url.ts';

export interface ClientOptions {
  /** Added to the URL as `?topic=…&pattern=…`. What the client is for later, `subscribe` and `unsubscribe` say. */
  readonly topics?: readonly Matcher[];
  /**
   * Where to start: the cursor that the page was rendered with, or `earliest`. Default: with what comes next. The
   * first request has it as `?last_event_id=…`, which brings the values of states too; later ones in the header.
   */
  readonly cursor?: string;
  /**
   * Keeps the cursor in `sessionStorage` under this key, so that a reloaded page goes on where it was; a stored
   * cursor wins over `cursor`. For pages that keep their state over a reload too: one that is rendered anew knows
   * the newer cursor it was rendered with. Without such a storage, this does nothing.
   */
  readonly persist?: string;
  /** A function is called for each request, for tokens that run out. */
  readonly headers?: HeadersInit | (() => HeadersInit | Promise<HeadersInit>);
  readonly credentials?: RequestCredentials;
  readonly retry?: {
    /** Milliseconds: the most that the first wait may take. The server's `retry:` raises it. Default 1,000. */
    readonly base?: number;
    /** Milliseconds: the most that any wait may take. Default 30,000. */
    readonly max?: number;
    /** How often in a row to try again before failing. Default: without end. */
    readonly attempts?: number;
  };
  /** The most bytes that one event may take. Default 4 MiB. */
  readonly maxEventBytes?: number;
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>;
  /** From 0 up to, but not including, 1. */
  readonly random?: () => number;
  readonly timers?: Timers;
}

/** Time, as the client sees it. */
export interface Timers {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls `task` once after `delay` milliseconds. @returns what cancels it. */
  setTimer(task: () => void, delay: number): () => void;
}

export interface Settings {
  /** Without what it asks for. */
  readonly url: string;
  /** What it asks for at first. */
  readonly topics: readonly Matcher[];
  readonly headers: () => HeadersInit | Promise<HeadersInit>;
  readonly credentials: RequestCredentials | undefined;
  readonly retry: RetryPolicy;
  readonly maxEventBytes: number;
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  readonly random: () => number;
  readonly timers: Timers;
}

const systemTimers: Timers = {
  now: () => Date.now(),
  setTimer(task, delay) {
    const timer = setTimeout(task, delay);
    return () => clearTimeout(timer);
  },
};

/** @throws {TidingsError} `client/invalid-option` */
export function resolveSettings(url: string | URL, options: ClientOptions): Settings {
  const { headers = {}, maxEventBytes = DEFAULT_MAX_EVENT_BYTES } = options;
  const retry: RetryPolicy = { ...DEFAULT_RETRY, ...options.retry };
  for (const name of ['base', 'max', 'attempts'] as const) assertAtLeast(0, `retry.${name}`, retry[name]);
  assertAtLeast(1, 'maxEventBytes', maxEventBytes);
  if (!Array.isArray(options.topics ?? [])) throw invalidTopics();
  const resolved = resolveUrl(url);
  const named = takeTopics(resolved);
  return {
    url: resolved.href,
    topics: [...named, ...(options.topics ?? [])],
    headers: typeof headers === 'function' ? headers : fixedHeaders(headers),
    credentials: options.credentials,
    retry,
    maxEventBytes,
    // Looked up at each call, and called on its own: some browsers mind who `this` is.
    fetch: options.fetch ?? ((...request) => fetch(...request)),
    random: options.random ?? Math.random,
    timers: options.timers ?? systemTimers,
  };
}

function invalidTopics(): TidingsError {
  const message = '`topics` is a list of topics and patterns.';
  return new TidingsError('client/invalid-option', message, { details: { option: 'topics' } });
}

function fixedHeaders(headers: HeadersInit): () => HeadersInit {
  try {
    const checked = new Headers(headers);
    return () => checked;
  } catch (cause) {
    const message = 'The headers contain a name or a value that HTTP does not allow.';
    throw new TidingsError('client/invalid-option', message, { cause, details: { option: 'headers' } });
  }
}

function assertAtLeast(least: number, option: string, value: number): void {
  if (typeof value === 'number' && value >= least) return;
  throw new TidingsError('client/invalid-option', `${option} is a number of at least ${least}.`, {
    details: { option, value },
  });
}
