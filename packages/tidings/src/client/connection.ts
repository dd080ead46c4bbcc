import { createDecoder, type DecodedEvent } from '../protocol/decode.ts';
import { TidingsError } from '../protocol/tidings-error.ts';
import type { Input } from './machine.ts';
import type { Settings } from './options.ts';
import { readProblem } from './problem.ts';
import { requestHeaders, requestInit } from './request.ts';
import { judgeResponse } from './response.ts';
import type { Request } from './subscriptions.ts';
import { streamUrl } from './url.ts';

/** What a stream consists of, for the client. */
export type StreamItem = DecodedEvent | { readonly onlyId: string } | { readonly retry: number };

export interface ConnectionHooks {
  /** What to ask for; called when the request is made. */
  readonly request: () => Request;
  /** How the connection fares. The last one is `refused`, `ended` or `dropped`. */
  readonly onInput: (input: Input) => void;
  /** One item after another. While a promise that it returned is pending, nothing is read. */
  readonly onItem: (item: StreamItem) => Promise<void> | undefined;
  /** What was read so far has been handed on. */
  readonly onIdle: () => void;
  /** Milliseconds without a byte after which the connection counts as dead. */
  readonly silence: () => number | undefined;
}

export interface Connection {
  /** Ends it at once: from then on no hook is called. */
  close(): void;
}

/** How long to wait for the server's explanation of a failure, in milliseconds. */
const PROBLEM_TIMEOUT = 2_000;
/** How long a server may take to answer that has not announced its heartbeat yet, in milliseconds. */
const FIRST_ANSWER = 60_000;

/** For a connection that was closed before its request. */
const NOTHING: Request = { matchers: [], asNew: false, cursor: undefined };

/** One request, and the stream that answers it. */
export function openConnection(settings: Settings, hooks: ConnectionHooks): Connection {
  const { timers } = settings;
  const controller = new AbortController();
  let closed = false;
  let silent = false;
  let stopTimer: (() => void) | undefined;

  void run().then((input) => {
    if (!closed) hooks.onInput(input);
  });

  return {
    close() {
      closed = true;
      stopTimer?.();
      controller.abort();
    },
  };

  async function run(): Promise<Input> {
    try {
      // A native `EventSource` asks for the stream alone; by this, servers know that a refusal will be understood.
      const accept = 'text/event-stream, application/problem+json';
      const headers = await requestHeaders(settings, { accept });
      // Not earlier: what is asked for may change while the headers are made.
      const { cursor, matchers, asNew } = closed ? NOTHING : hooks.request();
      if (cursor !== undefined && !asNew) headers.set('last-event-id', toByteString(cursor));
      const url = streamUrl(settings.url, matchers, asNew ? cursor : undefined);
      const init = requestInit(settings, headers, controller.signal);
      const response = await watch(() => settings.fetch(url, init), FIRST_ANSWER);
      const input = await judge(response);
      if (input.type !== 'accepted' || closed) return input;
      hooks.onInput(input);
      return await readStream(response, cursor ?? '');
    } catch (error) {
      if (error instanceof TidingsError) return { type: 'dropped', error };
      throw error;
    }
  }

  async function judge(response: Response): Promise<Input> {
    const { status, headers } = response;
    const facts = {
      status,
      contentType: headers.get('content-type'),
      retryAfter: headers.get('retry-after'),
    };
    if (status < 400 || closed) return judgeResponse(facts, timers.now());
    const timeout = new Promise<void>((resolve) => (stopTimer = timers.setTimer(resolve, PROBLEM_TIMEOUT)));
    const problem = await readProblem(response, timeout);
    stopTimer?.();
    return judgeResponse({ ...facts, problem }, timers.now());
  }

  async function readStream({ body }: Response, lastEventId: string): Promise<Input> {
    if (body === null)
      throw new TidingsError('client/network', 'The response has no body that can be streamed.');
    const reader = body.getReader();
    const items: StreamItem[] = [];
    const decoder = createDecoder({
      onEvent: (event) => items.push(event),
      onId: (onlyId) => items.push({ onlyId }),
      onRetry: (retry) => items.push({ retry }),
      lastEventId,
      maxEventBytes: settings.maxEventBytes,
    });
    for (;;) {
      const { done, value } = await watch(() => reader.read());
      if (done) throw new TidingsError('client/network', 'The server ended the stream.');
      const failure = feed(() => decoder.feed(value));
      for (const item of items.splice(0)) {
        if (closed) break;
        const behind = hooks.onItem(item);
        if (behind !== undefined) await behind;
      }
      if (failure !== undefined) return { type: 'refused', error: failure };
      if (!closed) hooks.onIdle();
    }
  }

  /** Waits for a sign of life. @throws {TidingsError} `client/silent`, `client/network` */
  async function watch<T>(begin: () => Promise<T>, limitIfUntold?: number): Promise<T> {
    const limit = hooks.silence() ?? limitIfUntold;
    if (limit !== undefined && !closed) {
      stopTimer = timers.setTimer(() => {
        silent = true;
        controller.abort();
      }, limit);
    }
    try {
      return await begin();
    } catch (cause) {
      throw silent ? failed('client/silent', cause) : failed('client/network', cause);
    } finally {
      stopTimer?.();
    }
  }
}

/** @returns what the decoder refused, so that the events before it can be handed on first. */
function feed(decode: () => void): TidingsError | undefined {
  try {
    decode();
    return undefined;
  } catch (error) {
    if (error instanceof TidingsError) return error;
    throw error;
  }
}

const MESSAGES = {
  'client/network': 'The connection could not be made, or broke.',
  'client/silent':
    'The server sent nothing for longer than it had announced, so the connection counts as dead.',
} as const;

function failed(code: keyof typeof MESSAGES, cause: unknown): TidingsError {
  return new TidingsError(code, MESSAGES[code], { cause });
}

/** "`Last-Event-ID` … encoded as UTF-8": fetch wants the bytes as characters. Cursors are ASCII, foreign ids need not be. */
function toByteString(id: string): string {
  return Array.from(new TextEncoder().encode(id), (byte) => String.fromCharCode(byte)).join('');
}
