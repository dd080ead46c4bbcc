/** One request of the doctor: the URL, the headers to send, the limits of time. */
import { type Answer, type Question, ask } from './exchange.ts';
import { type Observed, type SeenWelcome, observe } from './observe.ts';

export interface Visit {
  readonly url: URL;
  /** Sent with each request: credentials, `Origin`. Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** How long a response, or its first byte, may take, in milliseconds. */
  readonly patience: number;
  /** How long to watch the stream, in milliseconds; undefined: two heartbeats and a half. */
  readonly watch: number | undefined;
  readonly signal: AbortSignal;
}

/** A response that came. */
export interface Heard {
  readonly answer: Answer;
  readonly seen: Observed;
}

/** No response came: within the time, or at all. */
export interface Unheard {
  readonly failure: Error;
  readonly isLate: boolean;
}

type Asked = Pick<Question, 'method' | 'body'> & {
  readonly url?: URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** Milliseconds for the whole exchange; with `watch`, for the first bytes of the body. */
  readonly within: number;
  /** How long to read on from the first bytes, in milliseconds. */
  readonly watch?: number;
  readonly isEnough?: (seen: { welcome: SeenWelcome | undefined; arrivals: readonly number[] }) => boolean;
};

/** Sends a request and reads its answer, as long as `within` and `watch` say. */
export async function visit(
  { url, headers, signal }: Visit,
  { within, watch, isEnough = () => false, ...asked }: Asked,
): Promise<Heard | Unheard> {
  const end = new AbortController();
  const stop = () => end.abort();
  let timer = setTimeout(stop, within);
  signal.addEventListener('abort', stop, { once: true });
  const started = performance.now();
  try {
    const answer = await ask({
      url: asked.url ?? url,
      ...(asked.method !== undefined && { method: asked.method }),
      ...(asked.body !== undefined && { body: asked.body }),
      headers: { accept: 'text/event-stream, application/problem+json', ...headers, ...asked.headers },
      signal: end.signal,
    });
    const seen = await observe(answer, started, end.signal, (so) => {
      if (watch !== undefined && so.arrivals.length === 1) {
        clearTimeout(timer);
        timer = setTimeout(stop, watch);
      }
      return isEnough(so);
    });
    return { answer, seen };
  } catch (error) {
    return { failure: error instanceof Error ? error : new Error(String(error)), isLate: end.signal.aborted };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
    end.abort();
  }
}

export function isHeard(result: Heard | Unheard): result is Heard {
  return 'answer' in result;
}

/** Adds a parameter to the URL and leaves the rest of its text alone. */
export function withParameter(url: URL, name: string, value: string): URL {
  const added = new URL(url);
  added.search = `${url.search === '' ? '?' : `${url.search}&`}${name}=${encodeURIComponent(value)}`;
  return added;
}
