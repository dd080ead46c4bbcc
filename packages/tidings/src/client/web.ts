/**
 * The parts of the web platform that the client uses, by their shape: a project needs no types of the DOM to compile
 * against this package, and a replacement for `fetch` needs no more than this.
 */

/** Headers in any form that `new Headers()` takes. */
export type HeadersInput =
  | Iterable<readonly [string, string]>
  | Readonly<Record<string, string>>
  | { forEach(callback: (value: string, name: string) => void): void };

export interface ResponseHeaders {
  get(name: string): string | null;
  forEach(callback: (value: string, name: string) => void): void;
}

/** The part of a response that the client reads. The global `Response` is one. */
export interface FetchResponse {
  readonly status: number;
  readonly headers: ResponseHeaders;
  /**
   * A web stream, a Node stream, or anything else that can be iterated asynchronously; its chunks are bytes or text. Null
   * if there is none.
   */
  readonly body: unknown;
  /** Where the request ended up after redirects. */
  readonly url?: string;
  readonly redirected?: boolean;
}

/** The options that the client passes to `fetch`. */
export interface FetchInit {
  readonly method: string;
  readonly headers: Headers;
  readonly body?: unknown;
  readonly signal: AbortSignal;
  readonly cache: 'no-store';
  readonly credentials?: Credentials;
}

export type Credentials = 'omit' | 'same-origin' | 'include';

/** The global `fetch` is one. Its second argument is a `FetchInit`. */
// Runtimes have types of their own for what their `fetch` takes, and only this is compatible with all of them.
// oxlint-disable-next-line typescript/no-explicit-any
export type Fetch = (url: string, init: any) => Promise<FetchResponse>;
