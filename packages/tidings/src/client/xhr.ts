import type { FetchInit, FetchResponse } from './web.ts';

/** The part of `XMLHttpRequest` that is used here. */
interface Xhr {
  readonly status: number;
  readonly readyState: number;
  readonly responseText: string;
  readonly responseURL: string;
  withCredentials: boolean;
  onreadystatechange: (() => void) | null;
  onprogress: (() => void) | null;
  onload: (() => void) | null;
  onerror: (() => void) | null;
  onabort: (() => void) | null;
  open(method: string, url: string): void;
  setRequestHeader(name: string, value: string): void;
  getAllResponseHeaders(): string;
  send(body?: unknown): void;
  abort(): void;
}

const HEADERS_RECEIVED = 2;

/**
 * A `fetch` that streams where the runtime's own does not, as in React Native, by `XMLHttpRequest`. That keeps the text of
 * a whole response, so streams should not live for ever: a hub's `maxLifetime` ends them, and the client goes on.
 */
export function xhrFetch(url: string, init: FetchInit): Promise<FetchResponse> {
  const { XMLHttpRequest } = globalThis as unknown as { XMLHttpRequest: new () => Xhr };
  const xhr = new XMLHttpRequest();
  const chunks = createChunks(() => xhr.abort());
  let read = 0;
  const takeText = (): void => {
    const text = xhr.responseText;
    if (text.length > read) chunks.push(text.slice(read));
    read = text.length;
  };
  return new Promise((resolve, reject) => {
    const fail = (): void => {
      const error = new TypeError('The request failed.');
      reject(error);
      chunks.end(error);
    };
    xhr.onreadystatechange = () => {
      if (xhr.readyState !== HEADERS_RECEIVED || xhr.status === 0) return;
      const headers = parseHeaders(xhr.getAllResponseHeaders());
      const redirected = xhr.responseURL !== '' && xhr.responseURL !== url;
      resolve({ status: xhr.status, headers, body: chunks.body, url: xhr.responseURL || url, redirected });
    };
    xhr.onprogress = takeText;
    xhr.onload = () => {
      takeText();
      chunks.end();
    };
    xhr.onerror = fail;
    xhr.onabort = fail;
    xhr.open(init.method, url);
    init.headers.forEach((value, name) => xhr.setRequestHeader(name, value));
    xhr.withCredentials = init.credentials === 'include';
    init.signal.addEventListener('abort', () => xhr.abort());
    xhr.send(init.body);
  });
}

function parseHeaders(text: string): Headers {
  const headers = new Headers();
  for (const line of text.split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) headers.append(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  return headers;
}

type Result = IteratorResult<string, undefined>;

/** Text that arrives over time, for one reader. */
function createChunks(cancel: () => void) {
  const waiting: string[] = [];
  let end: { readonly error: Error | undefined } | undefined;
  let asking: { resolve: (result: Result) => void; reject: (error: Error) => void } | undefined;

  function settle(): void {
    const text = waiting.shift();
    if (asking === undefined || (text === undefined && end === undefined)) {
      if (text !== undefined) waiting.unshift(text);
      return;
    }
    const { resolve, reject } = asking;
    asking = undefined;
    if (text !== undefined) resolve({ done: false, value: text });
    else if (end?.error === undefined) resolve({ done: true, value: undefined });
    else reject(end.error);
  }

  return {
    push(text: string): void {
      waiting.push(text);
      settle();
    },
    end(error?: Error): void {
      end ??= { error };
      settle();
    },
    body: {
      [Symbol.asyncIterator]: () => ({
        next: () =>
          new Promise<Result>((resolve, reject) => {
            asking = { resolve, reject };
            settle();
          }),
        return(): Promise<Result> {
          cancel();
          return Promise.resolve({ done: true, value: undefined });
        },
      }),
    },
  };
}
