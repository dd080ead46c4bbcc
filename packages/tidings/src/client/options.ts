import type { DecodedEvent } from '../protocol/decode.ts';
import { DEFAULT_MAX_EVENT_BYTES } from '../protocol/decode.ts';
import type { Matcher } from '../protocol/matcher.ts';
import {
  aBoolean,
  aFunction,
  aNumber,
  anObjectWith,
  checkOptions,
  aString,
  type Check,
  type Checks,
  describe,
  either,
  oneOf,
  options as bag,
} from '../protocol/options.ts';
import { TidingsError } from '../protocol/tidings-error.ts';
import { DEFAULT_RETRY, type RetryPolicy } from './backoff.ts';
import { type Environment, webEnvironment } from './environment.ts';
import type { Gap } from '../protocol/control.ts';
import { isMatcher } from './plain-topics.ts';
import { CURSOR_PARAMETER, resolveUrl, takeTopics } from './url.ts';
import type { SharedEnvironment } from './shared/index.ts';
import type { Credentials, Fetch, HeadersInput } from './web.ts';

/** Why `load` is called. */
export interface LoadRequest {
  /** Empty at the start; later, what is missing and why. */
  readonly gaps: readonly Gap[];
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

export interface ClientOptions {
  /** Added to the URL as `?topic=…&pattern=…`. What the client is for later, `subscribe` and `unsubscribe` say. */
  readonly topics?: readonly Matcher[] | undefined;
  /**
   * Where to start: the cursor that the page was rendered with, or `earliest`. Default: with what comes next. The
   * first request has the cursor of a hub as `?last_event_id=…`, which brings the values of states too.
   */
  readonly cursor?: string | undefined;
  /**
   * Where requests carry the cursor. By default in the header `Last-Event-ID`, except for a hub's on the first request.
   * `query`: always as `?last_event_id=…`, for servers of another origin that don't allow the header; `{ query: name }`: under
   * another name.
   */
  readonly cursorIn?: 'header' | 'query' | { readonly query: string } | undefined;
  /**
   * Keeps the cursor in `sessionStorage` under this key, so that a reloaded page goes on where it was; a stored
   * cursor wins over `cursor`. For pages that keep their state over a reload too: one that is rendered anew knows
   * the newer cursor it was rendered with. Without such a storage, this does nothing.
   */
  readonly persist?: string | undefined;
  /**
   * Fetches the app's state and returns the cursor at which it is true; the stream goes on from there. Called at the
   * start, unless there is a cursor, and again after a gap: no event is handed out until it has returned.
   */
  readonly load?: ((request: LoadRequest) => string | Promise<string>) | undefined;
  /** `GET` by default, `POST` with a body. */
  readonly method?: string | undefined;
  /** What `fetch` takes as a body; a function is called for each request. */
  readonly body?: unknown;
  /** A function is called for each request, for tokens that run out. */
  readonly headers?: HeadersInput | (() => HeadersInput | Promise<HeadersInput>) | undefined;
  readonly credentials?: Credentials | undefined;
  /** Closes the client when it is aborted. */
  readonly signal?: AbortSignal | undefined;
  readonly retry?:
    | {
        /** Milliseconds: the most that chance adds to the first wait. Default 1,000. */
        readonly base?: number | undefined;
        /** Milliseconds: the most that any wait may take, unless the server asks for more. Default 30,000. */
        readonly max?: number | undefined;
        /** How often in a row to try again, without a connection that lasts, before failing. Default: without end. */
        readonly attempts?: number | undefined;
      }
    | undefined;
  /**
   * Decides whether to go on after a failure: `true` after the usual wait, a number after so many milliseconds, `false`
   * not at all; undefined leaves the decision to the client. May be async, to fetch a new token after a 401.
   */
  readonly shouldRetry?:
    | ((
        error: TidingsError,
      ) => boolean | number | undefined | void | Promise<boolean | number | undefined | void>)
    | undefined;
  /** The response is an answer with an end: when it ends, the client closes instead of asking again. */
  readonly once?: boolean | undefined;
  /** Whether an event is the last one, such as `[DONE]`: it is handed out, and the client closes. */
  readonly isLast?: ((event: DecodedEvent) => boolean) | undefined;
  /** `pause` closes the stream while the page is hidden, and resumes it when it is shown. Default `keep`. */
  readonly whileHidden?: 'keep' | 'pause' | undefined;
  /**
   * Whole answers instead of a stream, for proxies that hold streams back. `auto`, the default: from a hub, after two
   * connections in a row that brought nothing.
   */
  readonly longPoll?: 'auto' | 'always' | 'never' | undefined;
  readonly timeouts?:
    | {
        /** Milliseconds for `headers`, `body` and `shouldRetry`. Default 30,000. */
        readonly hooks?: number | undefined;
        /**
         * Milliseconds until the response begins, and again until its first byte. Default 60,000, and 10,000 for the first
         * byte of a response to a request that names topics: a hub sends one at once.
         */
        readonly firstByte?: number | undefined;
        /** Milliseconds without a byte, of servers that don't announce a heartbeat. Default: without end. */
        readonly read?: number | undefined;
      }
    | undefined;
  /**
   * One stream for all tabs of a browser that ask the same URL of a hub for the same subject. An object tells further
   * streams apart: those with another `key` aren't shared.
   */
  readonly shared?:
    | boolean
    | { readonly key?: string | undefined; readonly environment?: SharedEnvironment | undefined }
    | undefined;
  /** The most bytes that one event may take. Default 4 MiB. */
  readonly maxEventBytes?: number | undefined;
  /** Makes the requests. Default: the global one. */
  readonly fetch?: Fetch | undefined;
  /** The runtime around the client. Default: browsers, workers and Node. */
  readonly environment?: Environment | undefined;
  /** From 0 up to, but not including, 1. */
  readonly random?: (() => number) | undefined;
  readonly timers?: Timers | undefined;
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
  /** Undefined: as the server needs it. */
  readonly cursorIn: 'header' | 'query' | undefined;
  readonly cursorName: string;
  readonly load: ClientOptions['load'];
  readonly method: string;
  readonly body: (() => unknown) | undefined;
  readonly headers: () => HeadersInput | Promise<HeadersInput>;
  readonly credentials: Credentials | undefined;
  readonly retry: RetryPolicy;
  readonly shouldRetry: ClientOptions['shouldRetry'];
  readonly once: boolean;
  readonly isLast: ((event: DecodedEvent) => boolean) | undefined;
  readonly pauseHidden: boolean;
  readonly longPoll: 'auto' | 'always' | 'never';
  readonly timeouts: {
    readonly hooks: number;
    readonly firstByte: number | undefined;
    readonly read: number | undefined;
  };
  readonly maxEventBytes: number;
  readonly fetch: Fetch;
  readonly environment: Environment;
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

const anything: Check = { expected: 'anything', accepts: () => true };
const text: Check = { expected: 'text', accepts: (value) => typeof value === 'string' };
const wait = aNumber({ min: 1 });
const TOPICS: Check = {
  expected: 'a list of topics and { pattern }s',
  accepts: (value) => Array.isArray(value) && value.every(isMatcher),
};
const HEADERS: Check = {
  expected: 'headers',
  accepts: (value) => typeof value === 'object' || typeof value === 'function',
};
const METHOD: Check = {
  expected: 'a method that `fetch` can send',
  accepts: (value) =>
    typeof value === 'string' &&
    /^[\w!#$%&'*+.^`|~-]+$/.test(value) &&
    !/^(connect|trace|track)$/i.test(value),
};

export const RETRY_OPTIONS: Checks<RetryPolicy> = {
  base: aNumber({ min: 0 }),
  max: aNumber({ min: 0 }),
  attempts: aNumber({ min: 0 }),
};
export const TIMEOUTS: Checks<NonNullable<ClientOptions['timeouts']>> = {
  hooks: wait,
  firstByte: wait,
  read: wait,
};

const SHARED_OPTIONS: Checks<Exclude<ClientOptions['shared'], boolean | undefined>> = {
  key: text,
  environment: anObjectWith('an environment', 'channel', 'lock', 'watch'),
};

export const CLIENT_OPTIONS: Checks<ClientOptions> = {
  topics: TOPICS,
  cursor: text,
  cursorIn: either(oneOf('header', 'query'), anObjectWith('{ query }', 'query')),
  persist: aString,
  load: aFunction,
  method: METHOD,
  body: anything,
  headers: HEADERS,
  credentials: oneOf('omit', 'same-origin', 'include'),
  signal: anObjectWith('an AbortSignal', 'aborted', 'addEventListener'),
  retry: bag(RETRY_OPTIONS),
  shouldRetry: aFunction,
  once: aBoolean,
  isLast: aFunction,
  whileHidden: oneOf('keep', 'pause'),
  longPoll: oneOf('auto', 'always', 'never'),
  timeouts: bag(TIMEOUTS),
  shared: either(aBoolean, anObjectWith('an object')),
  maxEventBytes: aNumber({ min: 1 }),
  fetch: aFunction,
  environment: anObjectWith('an environment', 'watch'),
  random: aFunction,
  timers: anObjectWith('timers', 'now', 'setTimer'),
};

const invalid = (option: string, message: string, value?: unknown, cause?: unknown): TidingsError =>
  new TidingsError('client/invalid-option', message, { cause, details: { option, value } });

/** @throws {TidingsError} `client/invalid-option` */
export function resolveSettings(url: string | URL, options: ClientOptions): Settings {
  checkOptions(options, CLIENT_OPTIONS, '', invalid);
  assertShareable(options);
  const environment = options.environment ?? webEnvironment();
  const resolved = resolveUrl(url, environment.base);
  if (typeof resolved === 'string') throw invalid('url', resolved, String(url));
  const { url: own, topics } = takeTopics(resolved);
  const { headers = {}, cursorIn, timeouts = {}, retry = {} } = options;
  return {
    url: own,
    topics: [...topics, ...(options.topics ?? [])],
    cursorIn: typeof cursorIn === 'object' ? 'query' : cursorIn,
    cursorName: typeof cursorIn === 'object' ? cursorIn.query : CURSOR_PARAMETER,
    load: options.load,
    ...methodAndBody(options),
    headers: typeof headers === 'function' ? (headers as Settings['headers']) : fixedHeaders(headers),
    credentials: options.credentials,
    retry: {
      base: retry.base ?? DEFAULT_RETRY.base,
      max: retry.max ?? DEFAULT_RETRY.max,
      attempts: retry.attempts ?? DEFAULT_RETRY.attempts,
    },
    shouldRetry: options.shouldRetry,
    once: options.once ?? false,
    isLast: options.isLast,
    pauseHidden: options.whileHidden === 'pause',
    longPoll: options.longPoll ?? 'auto',
    timeouts: { hooks: timeouts.hooks ?? 30_000, firstByte: timeouts.firstByte, read: timeouts.read },
    maxEventBytes: options.maxEventBytes ?? DEFAULT_MAX_EVENT_BYTES,
    // Looked up at each call, and called on its own: some browsers mind who `this` is.
    fetch: options.fetch ?? ((at: string, init: RequestInit) => fetch(at, init)),
    environment,
    random: options.random ?? Math.random,
    timers: options.timers ?? systemTimers,
  };
}

/** A stream that is shared is asked for by any of the tabs, again and again. */
function assertShareable(options: ClientOptions): void {
  const { shared } = options;
  if (typeof shared === 'object') checkOptions(shared, SHARED_OPTIONS, 'shared.', invalid);
  if (!shared) return;
  for (const name of ['method', 'body', 'once'] as const) {
    if (options[name]) throw invalid(name, `A stream that is \`shared\` has no \`${name}\`.`, options[name]);
  }
}

function methodAndBody({ method: given, body }: ClientOptions): Pick<Settings, 'method' | 'body'> {
  const method = (given ?? (body === undefined ? 'GET' : 'POST')).toUpperCase();
  if (body === undefined) return { method, body: undefined };
  if (method === 'GET' || method === 'HEAD')
    throw invalid('body', `A ${method} request has no body.`, method);
  if (typeof body === 'function') return { method, body: body as () => unknown };
  if (isStream(body)) {
    throw invalid(
      'body',
      `Expected \`body\` to be a function that returns a stream for each request, got ${describe(body)}.`,
    );
  }
  return { method, body: () => body };
}

/** A web stream can be sent once. */
function isStream(body: unknown): boolean {
  return typeof (body as { getReader?: unknown } | null)?.getReader === 'function';
}

function fixedHeaders(headers: HeadersInput): () => HeadersInput {
  try {
    const checked = new Headers(headers as never);
    return () => checked;
  } catch (cause) {
    throw invalid(
      'headers',
      'The headers contain a name or a value that HTTP does not allow.',
      undefined,
      cause,
    );
  }
}
