/**
 * `tidings/chat`: the client's half of `tidings/ai` for the AI SDK's `useChat`. It needs nothing of the SDK; its types are
 * those of the SDK's `ChatTransport`.
 */
import { TidingsError } from '../protocol/tidings-error.ts';
import { type AnswerSource, answerStream } from './answer-stream.ts';
import { type ChatTransportOptions, assertChatTransportOptions, resolveValue } from './options.ts';

export type { ChatTransportOptions } from './options.ts';

/** The options that the AI SDK adds to each request. */
interface RequestOptions {
  readonly headers?: Record<string, string> | Headers;
  readonly body?: object;
}

export interface ChatTransport<Message> {
  /** A stream that is resumed begins with the answer's first chunk. */
  readonly resumeStreamIsReplay: true;
  sendMessages(
    options: {
      readonly trigger: string;
      readonly chatId: string;
      readonly messageId: string | undefined;
      readonly messages: Message[];
      readonly abortSignal: AbortSignal | undefined;
    } & RequestOptions,
  ): Promise<ReadableStream<never>>;
  /** Null if there is nothing to follow. */
  reconnectToStream(
    options: { readonly chatId: string; readonly abortSignal?: AbortSignal } & RequestOptions,
  ): Promise<ReadableStream<never> | null>;
  /** Stops the chat's current answer, wherever it is produced and whoever watches. */
  stop(chatId: string): Promise<void>;
  /** Closes the chat's streams here and lets its answer go on: for a page that turns to another chat. */
  leave(chatId: string): void;
}

const DEFAULT_SILENCE = 40_000;

/**
 * A transport for `useChat` that reconnects by itself after the last chunk it has: after a network failure, on a
 * phone that wakes up, when the server restarts. `useChat`'s `stop()` also stops the model.
 *
 * @throws {TidingsError} `client/invalid-option`.
 */
export function createChatTransport<Message>(options: ChatTransportOptions = {}): ChatTransport<Message> {
  assertChatTransportOptions(options);
  const { api = '/api/chat', credentials, silence = DEFAULT_SILENCE } = options;
  const fetch =
    options.fetch ?? ((...args: Parameters<typeof globalThis.fetch>) => globalThis.fetch(...args));
  /** How often each chat was resumed here. */
  const resumed = new Map<string, number>();
  /** By chat, aborted when the page leaves it. */
  const visits = new Map<string, AbortController>();

  async function request(path: string, init: RequestInit, extra: RequestOptions = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    for (const each of [await resolveValue(options.headers), extra.headers ?? {}])
      new Headers(each as HeadersInit).forEach((value, name) => headers.set(name, value));
    return fetch(api + path, { ...init, headers, ...(credentials !== undefined && { credentials }) });
  }

  function visitOf(chatId: string): AbortSignal {
    const visit = visits.get(chatId) ?? new AbortController();
    visits.set(chatId, visit);
    return visit.signal;
  }

  /** `asked`: the run that was asked for, as long as the server may not have begun it. */
  async function stop(chatId: string, extra?: RequestOptions, asked?: string): Promise<void> {
    const query = asked === undefined ? '' : `?asked=${encodeURIComponent(asked)}`;
    await request(`/${encodeURIComponent(chatId)}/stop${query}`, { method: 'POST', keepalive: true }, extra);
  }

  /** The rest of an answer after the cursor. */
  async function follow(
    chatId: string,
    cursor: string,
    signal: AbortSignal,
    extra: RequestOptions,
  ): Promise<Response> {
    const headers: HeadersInit = { accept: 'text/event-stream' };
    if (cursor !== '') headers['last-event-id'] = cursor;
    return request(`/${encodeURIComponent(chatId)}/stream`, { headers, signal }, extra);
  }

  function stopQuietly(chatId: string, extra: RequestOptions, asked?: string): void {
    // Nobody waits for it: the stream is closed already, and the run will be abandoned.
    stop(chatId, extra, asked).catch(() => {});
  }

  return {
    resumeStreamIsReplay: true,
    stop: (chatId) => stop(chatId),
    leave(chatId) {
      visits.get(chatId)?.abort();
      visits.delete(chatId);
    },
    async sendMessages({ trigger, chatId, messageId, messages, abortSignal, ...extra }) {
      const more = await resolveValue(options.body);
      const own = { id: chatId, messages, trigger, messageId, run: randomId() };
      const body = JSON.stringify({ ...more, ...extra.body, ...own });
      const headers = { 'content-type': 'application/json', accept: 'text/event-stream' };
      const post = (signal: AbortSignal): Promise<Response> =>
        request('', { method: 'POST', headers, body, signal }, extra);
      const left = visitOf(chatId);
      const onOver = (): void => {
        if (abortSignal?.aborted === true) stopQuietly(chatId, extra, own.run);
      };
      const first = await post(anyOf(left, abortSignal)).catch((error: unknown) => {
        // The server may have the question already.
        onOver();
        throw error;
      });
      const source: AnswerSource = {
        first: await assertAnswer(first),
        // Without a chunk, nothing says which answer it is. The server knows the run by its name, and starts no second one.
        open: async (cursor, signal) =>
          assertAnswer(await (cursor === '' ? post(signal) : follow(chatId, cursor, signal, extra))),
        left,
        silence,
        onOver,
      };
      return answerStream(source, abortSignal) as ReadableStream<never>;
    },
    async reconnectToStream({ chatId, abortSignal, ...extra }) {
      const count = (resumed.get(chatId) ?? 0) + 1;
      resumed.set(chatId, count);
      const left = visitOf(chatId);
      const onOver = (): void => {
        if (abortSignal?.aborted !== true) return;
        // `useChat` also aborts a resumed stream to resume it anew, as in React's strict mode: that is no stop.
        setTimeout(() => {
          if (resumed.get(chatId) === count) stopQuietly(chatId, extra);
        }, 0);
      };
      const first = await follow(chatId, '', anyOf(left, abortSignal), extra).catch((error: unknown) => {
        onOver();
        if (!left.aborted) throw error;
      });
      if (first === undefined || first.status === 204) return null;
      const source: AnswerSource = {
        first: await assertAnswer(first),
        open: async (cursor, signal) => assertAnswer(await follow(chatId, cursor, signal, extra)),
        left,
        silence,
        onOver,
      };
      return answerStream(source, abortSignal) as ReadableStream<never>;
    },
  };
}

/** A random UUID (version 4). `crypto.randomUUID` exists only on HTTPS and on localhost. */
function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/** Aborted as soon as one of them is. */
function anyOf(one: AbortSignal, other: AbortSignal | undefined): AbortSignal {
  return other === undefined ? one : AbortSignal.any([one, other]);
}

/**
 * @throws {TidingsError} `client/http-status` if trying again is no use.
 * @throws {Error} if it may help.
 */
async function assertAnswer(response: Response): Promise<Response> {
  const { status } = response;
  if (status === 200) return response;
  const text = await response.text().catch(() => '');
  if (status === 408 || status === 429 || status >= 500)
    throw new Error(`The server answered ${status}. ${text}`);
  const message =
    status === 204 ? 'The answer is no longer there.' : `The server answered ${status}. ${text}`;
  throw new TidingsError('client/http-status', message, { status });
}
