import { createDecoder, type DecodedEvent } from '../protocol/decode.ts';
import { TidingsError } from '../protocol/tidings-error.ts';
import { type ByteSource, cancelBody, openBody, toBytes } from './body.ts';
import type { Input } from './machine.ts';
import type { Settings } from './options.ts';
import type { Request } from './fixed-topics.ts';
import { readProblem } from './problem.ts';
import { askApp, requestHeaders, requestInit } from './request.ts';
import { type Failure, factsOf, judgeResponse } from './response.ts';
import { streamUrl } from './url.ts';
import type { FetchResponse } from './web.ts';

/** What a stream consists of, for the client. */
export type StreamItem =
  | DecodedEvent
  | { readonly onlyId: string }
  | { readonly retry: number }
  | { readonly comment: string };

export interface ConnectionHooks {
  /** Comes before everything else, such as loading what the stream goes on from. */
  readonly prepare: (signal: AbortSignal) => Promise<void> | undefined;
  /** What to ask for; called when the request is made. */
  readonly request: () => Request | Promise<Request>;
  /** The response is an event stream; nothing of it was read yet. */
  readonly onResponse: (response: FetchResponse) => void;
  /** How the connection fares. The last one is `refused`, `ended`, `finished` or `dropped`. */
  readonly onInput: (input: Input) => void;
  /** One item after another. While a promise that it returned is pending, nothing is read. */
  readonly onItem: (item: StreamItem) => Promise<void> | undefined;
  /** What was read so far has been handed on. */
  readonly onIdle: () => void;
  /** Milliseconds without a byte after which the connection counts as dead. */
  readonly silence: () => number | undefined;
  /** The cursor has moved since the connection began. */
  readonly moved: () => boolean;
}

export interface Connection {
  /** Ends it at once: from then on no hook is called. */
  close(): void;
  /** Takes it for dead unless something comes within so many milliseconds. */
  expect(limit: number): void;
}

/** Seconds for which an answer to a poll may be held back. */
const POLL_WAIT = 25;
/** Milliseconds until a response begins, and until it brings a byte. */
const FIRST_BYTE = 60_000;
/** Milliseconds until a hub's response brings a byte, once it has begun. */
const FIRST_BYTE_OF_HUB = 10_000;

/** What a hub's cursor looks like. Others go into the header from the first request on, as `EventSource` does it. */
const HUB_CURSOR = /^([\w-]{1,64}\.\d{1,16}|earliest)$/;

/** One request, and the stream that answers it. With `poll`, a whole answer. */
export function openConnection(settings: Settings, poll: boolean, hooks: ConnectionHooks): Connection {
  const { timers, timeouts } = settings;
  const controller = new AbortController();
  const extra = poll ? POLL_WAIT * 1_000 : 0;
  let closed = false;
  let source: ByteSource | undefined;
  let stopWatch: (() => void) | undefined;
  let bite: (() => void) | undefined;

  void run().then((input) => {
    if (closed) return;
    hooks.onInput(input);
    release();
  });

  return {
    close() {
      closed = true;
      release();
    },
    expect(limit) {
      if (bite === undefined || closed) return;
      stopWatch?.();
      stopWatch = timers.setTimer(bite, limit);
    },
  };

  function release(): void {
    stopWatch?.();
    controller.abort();
    source?.cancel();
  }

  async function run(): Promise<Input> {
    try {
      const input = await attempt();
      return isFailure(input) ? await reconsider(input) : input;
    } catch (cause) {
      const error = cause instanceof TidingsError ? cause : failed('client/network', cause);
      // Another try would be answered by the same `fetch`.
      return reconsider({ type: error.code === 'client/unreadable' ? 'refused' : 'dropped', error });
    }
  }

  /** The app may know better what a failure means. */
  async function reconsider(failure: Failure): Promise<Input> {
    const { shouldRetry } = settings;
    if (closed || shouldRetry === undefined) return failure;
    const { error } = failure;
    try {
      const answer = await askApp(settings, 'shouldRetry', () => shouldRetry(error), controller.signal);
      if (answer === false) return { type: 'refused', error };
      if (typeof answer === 'number')
        return { type: 'dropped', error, retryAfter: Math.max(0, answer), exact: true };
      if (answer === true && failure.type === 'refused') return { type: 'dropped', error };
      return failure;
    } catch (thrown) {
      return { type: 'dropped', error: thrown as TidingsError };
    }
  }

  async function attempt(): Promise<Input> {
    const preparation = hooks.prepare(controller.signal);
    if (preparation !== undefined) await preparation;
    // A native `EventSource` asks for the stream alone; by this, servers know that a refusal will be understood.
    const accept = 'text/event-stream, application/problem+json';
    const headers = await requestHeaders(settings, { accept }, controller.signal);
    const body =
      settings.body === undefined
        ? undefined
        : await askApp(settings, 'body', settings.body, controller.signal);
    if (closed) return { type: 'ended' };
    // Not earlier: what is asked for may change while the headers are made.
    const request = await hooks.request();
    if (closed) return { type: 'ended' };
    const url = address(request, headers);
    const init = requestInit(settings, settings.method, headers, body, controller.signal);
    const response = await watch(
      () => ask(url, init),
      Math.max(timeouts.firstByte ?? hooks.silence() ?? FIRST_BYTE, 1) + extra,
    );
    if (closed) return { type: 'ended' };
    const verdict = judgeResponse(factsOf(response), timers.now());
    if (verdict === 'accepted') return readStream(response, request);
    if (verdict.type === 'ended' || factsOf(response).status < 400) {
      cancelBody(response.body);
      return verdict;
    }
    const problem = await readProblem(timers, response, controller.signal);
    return judgeResponse({ ...factsOf(response), problem }, timers.now()) as Input;
  }

  async function ask(url: string, init: Parameters<Settings['fetch']>[1]): Promise<FetchResponse> {
    const response = await settings.fetch(url, init);
    // It came too late, from a `fetch` that minds no signal.
    if (controller.signal.aborted) cancelBody(response.body);
    return response;
  }

  /** @returns where to ask; puts the cursor into the headers unless it goes into the query. */
  function address({ cursor, matchers, asNew }: Request, headers: Headers): string {
    const place = settings.cursorIn ?? (asNew && HUB_CURSOR.test(cursor ?? '') ? 'query' : 'header');
    if (cursor !== undefined && place === 'header') headers.set('last-event-id', toByteString(cursor));
    return streamUrl(settings.url, {
      topics: matchers,
      cursor:
        cursor === undefined || place === 'header' ? undefined : { name: settings.cursorName, value: cursor },
      wait: poll ? POLL_WAIT : undefined,
    });
  }

  async function readStream(response: FetchResponse, { cursor, matchers }: Request): Promise<Input> {
    source = openSource(response.body);
    hooks.onResponse(response);
    const items: StreamItem[] = [];
    const decoder = createDecoder({
      onEvent: (event) => items.push(event),
      onId: (onlyId) => items.push({ onlyId }),
      onRetry: (retry) => items.push({ retry }),
      onComment: (comment) => items.push({ comment }),
      lastEventId: cursor ?? '',
      maxEventBytes: settings.maxEventBytes,
    });
    let limit: number | undefined =
      timeouts.firstByte ??
      (matchers.length > 0 || hooks.silence() !== undefined ? FIRST_BYTE_OF_HUB : FIRST_BYTE);
    for (let opened = false; !closed; limit = hooks.silence() ?? timeouts.read) {
      const { done, value } = await watch(
        () => source?.read() ?? EMPTY,
        limit === undefined ? undefined : limit + extra,
      );
      if (closed || done === true) break;
      const bytes = toBytes(value);
      if (bytes.length === 0) continue;
      if (!opened) hooks.onInput({ type: 'opened' });
      opened = true;
      const failure = attemptTo(() => decoder.feed(bytes));
      for (const item of items.splice(0)) {
        if (closed) break;
        const behind = hooks.onItem(item);
        if (behind !== undefined) await behind;
      }
      if (failure !== undefined) return { type: 'refused', error: failure };
      if (!closed) hooks.onIdle();
    }
    return settings.once ? { type: 'ended' } : { type: 'finished', moved: hooks.moved() };
  }

  /** Waits for a sign of life. @throws {TidingsError} `client/silent`, and what `begin` throws. */
  async function watch<T>(begin: () => Promise<T>, limit: number | undefined): Promise<T> {
    const silence = new Promise<never>((_, reject) => {
      bite = () => {
        reject(failed('client/silent'));
        controller.abort();
      };
    });
    if (limit !== undefined && !closed && bite !== undefined) stopWatch = timers.setTimer(bite, limit);
    try {
      return await Promise.race([begin(), silence]);
    } finally {
      stopWatch?.();
      bite = undefined;
    }
  }
}

const EMPTY: Promise<{ done: true; value?: unknown }> = /* @__PURE__ */ Promise.resolve({ done: true });

const isFailure = (input: Input): input is Failure => input.type === 'refused' || input.type === 'dropped';

/** @throws {TidingsError} `client/unreadable`, which trying again would not change. */
function openSource(body: unknown): ByteSource {
  let cause: unknown;
  try {
    const source = openBody(body);
    if (source !== undefined) return source;
  } catch (error) {
    cause = error;
  }
  throw failed('client/unreadable', cause);
}

/** @returns what the decoder refused, so that the events before it can be handed on first. */
function attemptTo(decode: () => void): TidingsError | undefined {
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
  'client/silent': 'The server sent nothing for too long, so the connection counts as dead.',
  'client/unreadable':
    'The body of the response can’t be read piece by piece: it is locked, or this `fetch` doesn’t stream. Give another one as `fetch`.',
} as const;

function failed(code: keyof typeof MESSAGES, cause?: unknown): TidingsError {
  return new TidingsError(code, MESSAGES[code], { cause });
}

/** "`Last-Event-ID` … encoded as UTF-8": fetch wants the bytes as characters. Cursors are ASCII, foreign ids need not be. */
function toByteString(id: string): string {
  return Array.from(new TextEncoder().encode(id), (byte) => String.fromCharCode(byte)).join('');
}
