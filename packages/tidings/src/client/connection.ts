import { createDecoder, type DecodedEvent, type Decoder } from '../protocol/decode.ts';
import { TidingsError } from '../protocol/tidings-error.ts';
import { openBody, type Read, toBytes } from './body.ts';
import { toHeaderValue } from './headers.ts';
import type { Input } from './machine.ts';
import type { Settings } from './settings.ts';
import type { Request } from './fixed-topics.ts';
import { readProblem } from './problem.ts';
import { askApp, requestHeaders, requestInit } from './request.ts';
import { type Failure, judgeResponse, opensStream } from './response.ts';
import { CURSOR_PARAMETER, parameterOf, streamUrl } from './url.ts';
import type { FetchInit, FetchResponse } from './web.ts';

/** The items of a stream, as the client sees it. */
export type StreamItem =
  | DecodedEvent
  | { readonly onlyId: string }
  | { readonly retry: number }
  | { readonly comment: string };

export interface ConnectionHooks {
  /** Runs before everything else, such as loading the state that the stream goes on from. */
  readonly prepare: (signal: AbortSignal) => Promise<void> | undefined;
  /** The topics and the cursor to ask for; called when the request is made. */
  readonly request: () => Request | Promise<Request>;
  /** The response is an event stream; nothing of it has been read. */
  readonly onResponse: (response: FetchResponse) => void;
  /** Bytes came. */
  readonly onBytes: () => void;
  /** The connection's progress. The last input is `refused`, `ended`, `finished` or `dropped`. */
  readonly onInput: (input: Input) => void;
  /** Receives one item after another. While a promise that it returned is pending, nothing more is read. */
  readonly onItem: (item: StreamItem) => Promise<void> | undefined;
  /** Everything read so far has been handed on. */
  readonly onIdle: () => void;
  /** Milliseconds without a byte after which the connection counts as dead. */
  readonly silence: () => number | undefined;
  /** Whether the cursor has moved since the connection began. */
  readonly moved: () => boolean;
}

export interface Connection {
  /** Ends the connection at once: no hook is called any more. */
  close(): void;
  /** Declares the connection dead unless something comes within this many milliseconds. */
  expect(limit: number): void;
}

/** How long an answer to a poll may be held back, in seconds. */
const POLL_WAIT = 25;
/** Milliseconds until a response begins, and until it brings a byte. */
const FIRST_BYTE = 60_000;
/** Milliseconds until a hub's response brings a byte, once it has begun. */
const FIRST_BYTE_OF_HUB = 10_000;

/** The form of a hub's cursor. Other ids go into the header from the first request on, as with `EventSource`. */
const HUB_CURSOR = /^([\w-]{1,64}\.\d{1,16}|earliest)$/;

/** One request, and the stream that answers it. With `poll`, a whole answer. */
export function openConnection(settings: Settings, poll: boolean, hooks: ConnectionHooks): Connection {
  const { timers, timeouts, shouldRetry } = settings;
  /** The request, which ends before the app is asked what to make of its end. */
  const controller = new AbortController();
  const { signal } = controller;
  const closing = new AbortController();
  const extra = poll ? POLL_WAIT * 1_000 : 0;
  let closed = false;
  let stopWatch: (() => void) | undefined;
  let bite: (() => void) | undefined;
  /** A sign of life is due, and a later test must not put that off. */
  let tested = false;

  void run().then((input) => {
    if (!closed) hooks.onInput(input);
  });

  return {
    close() {
      closed = true;
      closing.abort();
      release();
    },
    expect(limit) {
      if (bite === undefined || closed || tested) return;
      tested = true;
      stopWatch?.();
      stopWatch = timers.setTimer(bite, limit);
    },
  };

  function release(): void {
    stopWatch?.();
    controller.abort();
  }

  async function run(): Promise<Input> {
    let input: Input;
    try {
      input = await attempt();
    } catch (cause) {
      const error = cause instanceof TidingsError ? cause : failed('client/network', cause);
      // A retry would get the same.
      input = { type: FINAL.includes(error.code) ? 'refused' : 'dropped', error };
    }
    release();
    return 'error' in input && !closed ? reconsider(input) : input;
  }

  /** The app may know better what a failure means. */
  async function reconsider(failure: Failure): Promise<Input> {
    if (shouldRetry === undefined) return failure;
    const { error } = failure;
    try {
      const answer = await askApp(settings, 'shouldRetry', () => shouldRetry(error), closing.signal);
      if (answer === false) return { type: 'refused', error };
      if (typeof answer === 'number')
        return { type: 'dropped', error, retryAfter: Math.max(0, answer) || 0, exact: true };
      return answer === true && failure.type === 'refused' ? { type: 'dropped', error } : failure;
    } catch (thrown) {
      return { type: 'dropped', error: thrown as TidingsError };
    }
  }

  async function attempt(): Promise<Input> {
    await hooks.prepare(signal);
    // A native `EventSource` accepts only the stream. Accepting problem details, too, tells servers that a refusal will
    // be understood.
    const accept = 'text/event-stream, application/problem+json';
    const headers = await requestHeaders(settings, { accept }, signal);
    const body = settings.body && (await askApp(settings, 'body', settings.body, signal));
    if (closed) return ENDED;
    // Not earlier: the topics may change while the headers are made.
    const request = await hooks.request();
    if (closed) return ENDED;
    const url = address(request, headers);
    const init = requestInit(settings, settings.method, headers, body, signal);
    const response = await watch(() => ask(url, init), timeouts.firstByte ?? hooks.silence() ?? FIRST_BYTE);
    if (opensStream(response)) return readStream(response, request);
    const problem = await readProblem(timers, response, signal);
    return judgeResponse(response, timers.now(), problem);
  }

  async function ask(url: string, init: FetchInit): Promise<FetchResponse> {
    const response = await settings.fetch(url, init);
    // It came too late, from a `fetch` that ignores its signal.
    if (signal.aborted) openBody(response.body, signal);
    return response;
  }

  /** @returns where to ask; puts the cursor into the headers unless it goes into the query. */
  function address({ cursor, matchers, asNew }: Request, headers: Headers): string {
    const place = settings.cursorIn ?? (asNew && HUB_CURSOR.test(cursor ?? '') ? 'query' : 'header');
    const parameters = matchers.map(parameterOf);
    let replaced;
    if (place === 'header') {
      const id = toHeaderValue(cursor ?? '');
      if (id !== '') headers.set('last-event-id', id);
    } else if (cursor !== undefined) {
      replaced = typeof place === 'object' ? place.query : CURSOR_PARAMETER;
      parameters.push([replaced, cursor]);
    }
    if (poll) parameters.push(['wait', `${POLL_WAIT}`]);
    return streamUrl(settings.url, parameters, replaced);
  }

  async function readStream(response: FetchResponse, { cursor, matchers }: Request): Promise<Input> {
    let read: Read;
    try {
      read = openBody(response.body, signal);
    } catch (cause) {
      throw failed('client/unreadable', cause);
    }
    hooks.onResponse(response);
    const items: StreamItem[] = [];
    const decoder = createItemDecoder(items, cursor, settings.maxEventBytes);
    let limit: number | undefined =
      timeouts.firstByte ??
      (matchers.length > 0 || hooks.silence() !== undefined ? FIRST_BYTE_OF_HUB : FIRST_BYTE);
    let opened = false;
    while (!closed) {
      const { done, value } = await watch(read, limit);
      if (closed || done === true) break;
      const bytes = toBytes(value);
      if (bytes.length > 0) hooks.onBytes();
      if (bytes.length > 0 && !opened) {
        opened = true;
        hooks.onInput({ type: 'opened' });
      }
      let error: unknown;
      try {
        decoder.feed(bytes);
      } catch (tooLarge) {
        // The events before it come first.
        error = tooLarge;
      }
      for (const item of items.splice(0)) {
        const behind = closed ? undefined : hooks.onItem(item);
        if (behind !== undefined) await behind;
      }
      if (error !== undefined) throw error as TidingsError;
      if (opened && !closed) hooks.onIdle();
      if (opened) limit = hooks.silence() ?? timeouts.read;
    }
    return settings.once === true ? ENDED : { type: 'finished', moved: hooks.moved() };
  }

  /** Waits for a sign of life. @throws {TidingsError} `client/silent`, and what `begin` throws. */
  async function watch<T>(begin: () => Promise<T>, limit: number | undefined): Promise<T> {
    const silence = new Promise<never>((_, reject) => {
      bite = () => {
        reject(failed('client/silent'));
        controller.abort();
      };
    });
    if (limit !== undefined && !closed && bite !== undefined)
      stopWatch = timers.setTimer(bite, limit + extra);
    try {
      return await Promise.race([begin(), silence]);
    } finally {
      stopWatch?.();
      bite = undefined;
      tested = false;
    }
  }
}

function createItemDecoder(items: StreamItem[], lastEventId = '', maxEventBytes: number): Decoder {
  return createDecoder({
    onEvent: (event) => items.push(event),
    onId: (onlyId) => items.push({ onlyId }),
    onRetry: (retry) => items.push({ retry }),
    onComment: (comment) => items.push({ comment }),
    lastEventId,
    maxEventBytes,
  });
}

const ENDED: Input = { type: 'ended' };

const FINAL: readonly string[] = ['client/unreadable', 'decode/event-too-large'];

const MESSAGES = {
  'client/network': 'The connection could not be made, or broke.',
  'client/silent': 'The server sent nothing for too long, so the connection counts as dead.',
  'client/unreadable': 'The response has no body that this client can read; give another `fetch`.',
} as const;

function failed(code: keyof typeof MESSAGES, cause?: unknown): TidingsError {
  return new TidingsError(code, MESSAGES[code], { cause });
}
