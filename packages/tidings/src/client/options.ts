import type { DecodedEvent } from '../protocol/decode.ts';
import type { Gap } from '../protocol/control.ts';
import type { Matcher } from '../protocol/matcher.ts';
import type { TidingsError } from '../protocol/tidings-error.ts';
import type { Environment } from './environment.ts';
import type { SharedEnvironment } from './shared/index.ts';
import type { Timers } from './timers.ts';
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
  /** A body as `fetch` takes it; a function is called for each request. */
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
