import type { TidingsError } from '../../protocol/tidings-error.ts';

// The shapes are spelt out here, because a Node project has no HeadersInit, BodyInit and RequestInit.

type HeaderSource = Headers | Readonly<Record<string, string>> | readonly (readonly [string, string])[];
type Body = string | Blob | FormData | URLSearchParams;

/** The standard's `EventSourceInit`, and what `fetch` can do besides. Unknown names are ignored, as Web IDL has it. */
export interface EventSourceOptions {
  /** Sends cookies to other origins too. Default: false. */
  readonly withCredentials?: boolean;
  /** Default: the global one, looked up for each request. */
  readonly fetch?: EventSourceFetch;
  /** A function is called for each request, and may be async: for tokens that run out. */
  readonly headers?: HeaderSource | (() => HeaderSource | Promise<HeaderSource>);
  /** Default: `GET`. */
  readonly method?: string;
  /** A function is called for each request. */
  readonly body?: Body | (() => Body | Promise<Body>);
}

export type EventSourceFetch = (url: string, request: EventSourceRequest) => Promise<EventSourceResponse>;

/** Can be spread into the options of another `fetch`. */
export interface EventSourceRequest {
  readonly headers: Record<string, string>;
  readonly cache: 'no-store';
  readonly signal: AbortSignal;
  readonly credentials?: 'include';
  readonly method?: string;
  readonly body?: Body;
}

/** The part of a `Response` that the source reads. */
export interface EventSourceResponse {
  readonly status: number;
  /** After redirects; empty or absent if it is unknown. */
  readonly url?: string;
  readonly redirected?: boolean;
  readonly headers: { get(name: string): string | null };
  /** A web stream of bytes, or anything that can be iterated, such as a Node stream. */
  readonly body?: unknown;
}

export type EventSourceMessageEvent = typeof globalThis extends { MessageEvent: { prototype: infer T } }
  ? T
  : Event;

export interface EventSourceErrorEvent extends Event {
  /** Not in the standard: what went wrong. Absent if the server just ended the stream. */
  readonly error?: TidingsError;
}
