import { DEFAULT_MAX_EVENT_BYTES } from '../protocol/decode.ts';
import type { Matcher } from '../protocol/matcher.ts';
import { DEFAULT_RETRY, type RetryPolicy } from './backoff.ts';
import { checkClientOptions, invalid } from './check-options.ts';
import { type Environment, webEnvironment } from './environment.ts';
import type { ClientOptions } from './options.ts';
import { isStream } from './request.ts';
import { systemTimers, type Timers } from './timers.ts';
import { resolveUrl, takeTopics } from './url.ts';
import type { Fetch, HeadersInput } from './web.ts';

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

/** @throws {TidingsError} `client/invalid-option` */
export function resolveSettings(url: string | URL, options: ClientOptions): Settings {
  checkClientOptions(options);
  const given = { environment: webEnvironment(), ...defined(options) };
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
