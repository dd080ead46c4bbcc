import type { DecodedEvent } from '../protocol/decode.ts';
import { DEFAULT_MAX_EVENT_BYTES } from '../protocol/decode.ts';
import type { Matcher } from '../protocol/matcher.ts';
import {
  aBoolean,
  aFunction,
  anObjectWith,
  checkOptions,
  aString,
  type Check,
  type Checks,
  either,
  oneOf,
  options as bag,
} from '../protocol/options.ts';
import { TidingsError } from '../protocol/tidings-error.ts';
import { timerDelay } from '../protocol/timer-delay.ts';
import { DEFAULT_RETRY, type RetryPolicy } from './backoff.ts';
import { type Environment, webEnvironment } from './environment.ts';
import type { Gap } from '../protocol/control.ts';
import { isMatcher } from './fixed-topics.ts';
import { isStream } from './request.ts';
import { resolveUrl, takeTopics } from './url.ts';
import type { SharedEnvironment } from './shared/index.ts';
import type { Credentials, Fetch, HeadersInput } from './web.ts';

/** The reason for a call of `load`. */
export interface LoadRequest {
  /** Empty at the start; later, what is missing and why. */
  readonly gaps: readonly Gap[];
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

export interface SharingOptions {
  /** Streams with different keys stay apart. */
  readonly key?: string | undefined;
  /** Locks and channels between tabs. Default: the browser's. */
  readonly environment?: SharedEnvironment | undefined;
}

export interface ClientOptions {
  /** Added to the URL as `?topic=…&pattern=…`. `subscribe` and `unsubscribe` change them later. */
  readonly topics?: readonly Matcher[] | undefined;
  /**
   * Where to start: the cursor that the page was rendered with, or `earliest`. Default: with the next event. The first
   * request has the cursor of a hub as `?last_event_id=…`, which brings the values of states too.
   */
  readonly cursor?: string | undefined;
  /**
   * Where requests carry the cursor. By default in the header `Last-Event-ID`, except for a hub's on the first request.
   * `query`: always as `?last_event_id=…`, for servers of another origin that don't allow the header; `{ query: name }`: under
   * another name.
   */
  readonly cursorIn?: 'header' | 'query' | { readonly query: string } | undefined;
  /**
   * Keeps the cursor in `sessionStorage` under this key: a reloaded page goes on where it was, and a stored cursor wins
   * over `cursor`. Use it for pages that keep their state over a reload, too; a page that is rendered again has the
   * newer cursor of its rendering. Without such a storage, this does nothing.
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
        /** Milliseconds: the most that jitter adds to the first wait. Default 1,000. */
        readonly base?: number | undefined;
        /** Milliseconds: the most that any wait may take, unless the server asks for more. Default 30,000. */
        readonly max?: number | undefined;
        /** How many times in a row to retry without a connection that lasts, before failing. Default: no limit. */
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
  /** The response is a finite answer: when it ends, the client closes instead of asking again. */
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
        /** How long a server that announces no heartbeat may stay silent, in milliseconds. Default: no limit. */
        readonly read?: number | undefined;
      }
    | undefined;
  /**
   * One stream for all tabs of a browser that ask the same URL of a hub for the same subject. An object tells further
   * streams apart: those with another `key` aren't shared.
   */
  readonly shared?: boolean | SharingOptions | undefined;
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
  /** Calls `task` once after `delay` milliseconds. @returns a function that cancels it. */
  setTimer(task: () => void, delay: number): () => void;
}

/** The options as the client uses them, with their defaults. */
export interface Settings
  extends Omit<ClientOptions, 'headers'>, Required<Pick<ClientOptions, 'longPoll' | 'maxEventBytes'>> {
  /** Without the topics it asks for. */
  readonly url: string;
  /** The topics at first. */
  readonly topics: readonly Matcher[];
  readonly method: string;
  readonly body: (() => unknown) | undefined;
  readonly headers: () => HeadersInput | Promise<HeadersInput>;
  readonly retry: RetryPolicy;
  readonly timeouts: {
    readonly hooks: number;
    readonly firstByte?: number | undefined;
    readonly read?: number | undefined;
  };
  readonly longPoll: 'auto' | 'always' | 'never';
  readonly maxEventBytes: number;
  readonly fetch: Fetch;
  readonly environment: Environment;
  readonly random: () => number;
  readonly timers: Timers;
}

export const systemTimers: Timers = {
  now: () => Date.now(),
  setTimer(task, delay) {
    const timer = setTimeout(task, timerDelay(delay));
    return () => clearTimeout(timer);
  },
};

const anything: Check = { expected: 'anything', accepts: () => true };
const text: Check = { expected: 'text', accepts: (value) => typeof value === 'string' };
const atLeast = (least: number): Check => ({
  expected: `a number ≥ ${least}`,
  accepts: (value) => typeof value === 'number' && value >= least,
});
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
    typeof value === 'string' && /^(?!(connect|trace|track)$)[\w!#$%&'*+.^`|~-]+$/i.test(value),
};

export const RETRY_OPTIONS: Checks<RetryPolicy> = {
  base: atLeast(0),
  max: atLeast(0),
  attempts: atLeast(0),
};
export const TIMEOUTS: Checks<NonNullable<ClientOptions['timeouts']>> = {
  hooks: atLeast(1),
  firstByte: atLeast(1),
  read: atLeast(1),
};

export const SHARING_OPTIONS: Checks<SharingOptions> = {
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
  maxEventBytes: atLeast(1),
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
  const given = { environment: webEnvironment(), ...defined(options) };
  const { shared = false } = given;
  if (typeof shared === 'object') checkOptions(shared, SHARING_OPTIONS, 'shared.', invalid);
  // Any of the tabs asks for a shared stream, and again and again.
  for (const name of shared ? (['method', 'body', 'once'] as const) : [])
    if (given[name]) throw invalid(name, `A stream that is \`shared\` has no \`${name}\`.`);
  const { url: own, topics } = takeTopics(checked('url', () => resolveUrl(url, given.environment.base)));
  const { body, headers = {} } = given;
  const method = (given.method ?? (body === undefined ? 'GET' : 'POST')).toUpperCase();
  if (body !== undefined && /^(GET|HEAD)$/.test(method))
    throw invalid('body', `A ${method} request has no body.`, method);
  if (isStream(body)) throw invalid('body', 'A stream can be sent once: expected `body` to be a function.');
  const fixed = checked('headers', () => typeof headers !== 'function' && new Headers(headers as never));
  return {
    longPoll: 'auto',
    maxEventBytes: DEFAULT_MAX_EVENT_BYTES,
    // Looked up at each call, and called without a receiver: some browsers check `this`.
    fetch: (at: string, init: RequestInit) => fetch(at, init),
    random: Math.random,
    timers: systemTimers,
    ...given,
    url: own,
    topics: [...topics, ...(given.topics ?? [])],
    method,
    body: body === undefined || typeof body === 'function' ? (body as undefined) : () => body,
    headers: typeof headers === 'function' ? (headers as Settings['headers']) : () => fixed as Headers,
    retry: { ...DEFAULT_RETRY, ...defined(given.retry) },
    timeouts: { hooks: 30_000, ...defined(given.timeouts) },
  };
}

type Defined<T> = { [Name in keyof T]: Exclude<T[Name], undefined> };

/** Without what is undefined, which would hide a default. */
function defined<T extends object>(bag: T = {} as T): Defined<T> {
  return Object.fromEntries(Object.entries(bag).filter(([, value]) => value !== undefined)) as Defined<T>;
}

function checked<T>(option: string, make: () => T): T {
  try {
    return make();
  } catch (cause) {
    throw invalid(option, (cause as Error).message, undefined, cause);
  }
}
