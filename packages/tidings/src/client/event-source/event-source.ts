/**
 * The `EventSource` of the HTML standard, on top of `fetch`. Quotes are the standard's text:
 * https://html.spec.whatwg.org/multipage/server-sent-events.html
 *
 *   CONNECTING ──200, text/event-stream──► OPEN ──end, network error──► CONNECTING, after the reconnection time
 *        └──any other response──► CLOSED ◄──close()── from anywhere
 *
 * Longer than other files because it follows the standard's algorithms, which share their state.
 */
import { createDecoder, type DecodedEvent } from '../../protocol/decode.ts';
import { TidingsError } from '../../protocol/tidings-error.ts';
import { timerDelay } from '../../protocol/timer-delay.ts';
import { isEventStream } from '../headers.ts';
import { openChunks } from './chunks.ts';
import { buildRequest, resolveTarget, type Target as Destination } from './request.ts';
import { queueTask } from './tasks.ts';
import type {
  EventSourceErrorEvent,
  EventSourceMessageEvent,
  EventSourceOptions,
  EventSourceResponse,
} from './types.ts';

const CONNECTING = 0;
const OPEN = 1;
const CLOSED = 2;
type ReadyState = typeof CONNECTING | typeof OPEN | typeof CLOSED;

/** Milliseconds. "initially … an implementation-defined value, probably in the region of a few seconds" */
const RECONNECTION_TIME = 3_000;
/** Milliseconds: the most that backoff adds to waits while the server can't be reached. */
const MAX_EXTRA = 30_000;

interface EventMap {
  open: Event;
  message: EventSourceMessageEvent;
  error: EventSourceErrorEvent;
}
/** Without a type for `this`: with one, it couldn't stand in for a handler of the native class. */
type Handler<T> = ((event: T) => unknown) | null;
type ListenerOptions = Parameters<EventTarget['addEventListener']>[2];
type AnyListener = Parameters<EventTarget['addEventListener']>[1];

/** How a connection ended, if it wasn't closed. */
interface Ending {
  /** "Fail the connection", rather than "reestablish" it. */
  readonly fatal?: boolean;
  readonly error?: TidingsError;
}

/** The methods of `EventTarget`, with the types of the events. */
interface TypedEventTarget extends EventTarget {
  addEventListener: ListenerMethod;
  removeEventListener: ListenerMethod;
}

interface ListenerMethod {
  <Type extends keyof EventMap>(
    type: Type,
    listener: (event: EventMap[Type]) => unknown,
    options?: ListenerOptions,
  ): void;
  (type: string, listener: (event: EventSourceMessageEvent) => unknown, options?: ListenerOptions): void;
  (type: string, listener: AnyListener, options?: ListenerOptions): void;
}

const Target = EventTarget as unknown as new () => TypedEventTarget;

export class EventSource extends Target {
  declare static readonly CONNECTING: 0;
  declare static readonly OPEN: 1;
  declare static readonly CLOSED: 2;
  declare readonly CONNECTING: 0;
  declare readonly OPEN: 1;
  declare readonly CLOSED: 2;

  readonly #target: Destination;
  /** Where to ask next. */
  #address: string;
  readonly #options: EventSourceOptions;
  readonly #handlers: Record<string, object | null> = {};
  readonly #handle = (event: Event): void => {
    const handler = this.#handlers[event.type];
    if (typeof handler === 'function') handler.call(this, event);
  };
  #readyState: ReadyState = CONNECTING;
  #lastEventId = '';
  #reconnectionTime = RECONNECTION_TIME;
  /** Connections in a row that never opened. */
  #failures = 0;
  #connection = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * Connects at once. Outside of pages and workers the URL has to be absolute.
   *
   * @throws {DOMException} `SyntaxError` if the URL cannot be parsed.
   * @throws {TypeError} if an option is of the wrong type.
   */
  constructor(url: string | URL, options: EventSourceOptions = {}) {
    super();
    if (arguments.length === 0) throw new TypeError('Expected a URL.');
    this.#target = resolveTarget(`${url}`);
    this.#address = this.#target.address;
    this.#options = readOptions(options);
    void this.#run();
  }

  /** Serialized. */
  get url(): string {
    return this.#target.href;
  }

  get withCredentials(): boolean {
    return this.#options.withCredentials as boolean;
  }

  get readyState(): ReadyState {
    return this.#readyState;
  }

  get onopen(): Handler<Event> {
    return this.#handler('open');
  }

  set onopen(handler: Handler<Event>) {
    this.#setHandler('open', handler);
  }

  get onmessage(): Handler<EventSourceMessageEvent> {
    return this.#handler('message');
  }

  set onmessage(handler: Handler<EventSourceMessageEvent>) {
    this.#setHandler('message', handler);
  }

  get onerror(): Handler<EventSourceErrorEvent> {
    return this.#handler('error');
  }

  set onerror(handler: Handler<EventSourceErrorEvent>) {
    this.#setHandler('error', handler);
  }

  /** "must abort any instances of the fetch algorithm started for this …, and must set readyState … to CLOSED" */
  close(): void {
    this.#readyState = CLOSED;
    this.#connection.abort();
    clearTimeout(this.#timer);
  }

  async #run(): Promise<void> {
    for (;;) {
      const { fatal, error } = await this.#connect();
      // "Queue a task which, if the readyState attribute is set to a value other than CLOSED, sets the readyState
      // attribute to" CLOSED if the connection failed, to CONNECTING if it is to be reestablished, "and fires an event
      // named error at the EventSource object."
      let waited: Promise<void> | undefined;
      await this.#task(() => {
        if (fatal) this.close();
        else this.#readyState = CONNECTING;
        this.dispatchEvent(Object.assign(new Event('error'), error && { error }));
        // In the same task: a test that turns the clock after the event counts on it.
        if (!this.#isClosed()) waited = this.#wait();
      });
      if (waited === undefined) return;
      await waited;
    }
  }

  async #connect(): Promise<Ending> {
    // Ends the previous request, in case its body was given up.
    this.#connection.abort();
    this.#connection = new AbortController();
    const { signal } = this.#connection;
    let response: EventSourceResponse;
    let chunks: AsyncIterable<unknown>;
    let url: URL;
    let error: TidingsError | undefined;
    try {
      // Looked up for each request, and called without a receiver: browsers check its `this`.
      const fetch = this.#options.fetch ?? globalThis.fetch;
      const request = await buildRequest(
        this.#target,
        this.#address,
        this.#options,
        this.#lastEventId,
        signal,
      );
      if (signal.aborted) return {};
      response = await fetch(this.#address, request);
      // Replacements of `fetch` return all kinds of things.
      error = judge(response);
      chunks = openChunks(response.body, signal);
      url = new URL(response.url || this.#address, this.#address);
    } catch (cause) {
      this.#failures += 1;
      // "If res is an aborted network error, then fail the connection. Otherwise, if res is a network error, then
      // reestablish the connection, unless the user agent knows that to be futile": no network leads to other schemes.
      const fatal =
        (cause as Error | undefined)?.name === 'AbortError' ||
        !(this.#options.fetch || this.#address.startsWith('http'));
      return { fatal, error: toNetworkError(cause) };
    }
    // "Otherwise, if res's status is not 200, or if res's `Content-Type` is not `text/event-stream`, then fail the
    // connection." So 204 says: don't come back.
    if (error !== undefined) return { fatal: true, error };
    // Connecting again is to "fetch request", whose current URL is now where a redirect led. (With another method, which
    // the standard doesn't have, a redirect may have changed that as well.)
    if (response.redirected && !this.#options.method) this.#address = url.href;
    // "announce the connection and interpret res's body line by line"
    await this.#task(() => {
      this.#failures = 0;
      this.#readyState = OPEN;
      this.dispatchEvent(new Event('open'));
    });
    // "the serialization of the origin of the event stream's final URL (i.e., the URL after redirects)"
    return this.#interpret(chunks, url.origin);
  }

  async #interpret(chunks: AsyncIterable<unknown>, origin: string): Promise<Ending> {
    const events: DecodedEvent[] = [];
    const decoder = createDecoder({
      onEvent: (event) => events.push(event),
      onId: (id) => (this.#lastEventId = id),
      // Digits may go on beyond what a number holds.
      onRetry: (delay) => (this.#reconnectionTime = timerDelay(delay)),
      // To the letter, every stream begins with an empty last event ID buffer, and the first event without an id
      // would forget where the one before had come to. No browser does that.
      lastEventId: this.#lastEventId,
      maxEventBytes: Infinity,
    });
    try {
      for await (const chunk of chunks) {
        if (this.#isClosed()) break;
        decoder.feed(typeof chunk === 'string' ? new TextEncoder().encode(chunk) : (chunk as Uint8Array));
        for (const event of events.splice(0)) await this.#dispatch(event, origin);
      }
    } catch (cause) {
      return { error: toNetworkError(cause) };
    }
    // "processEventSourceEndOfBody given response res: if res is not a network error, then reestablish the connection."
    return {};
  }

  #dispatch({ type, data, id }: DecodedEvent, origin: string): Promise<void> {
    this.#lastEventId = id;
    return this.#task(() => {
      this.dispatchEvent(new MessageEvent(type, { data, origin, lastEventId: id }));
    });
  }

  /** A method, because the compiler assumes that a state it saw assigned never changes. */
  #isClosed(): boolean {
    return this.#readyState === CLOSED;
  }

  /** "Queue a task which, if the readyState attribute is set to a value other than CLOSED," does it. */
  #task(does: () => void): Promise<void> {
    return new Promise((resolve) => {
      queueTask(() => {
        if (!this.#isClosed()) does();
        resolve();
      });
    });
  }

  /**
   * "Wait a delay equal to the reconnection time of the event source. Optionally, wait some more. In particular, if the
   * previous attempt failed, then user agents might introduce an exponential backoff delay".
   */
  #wait(): Promise<void> {
    const limit = Math.max(this.#reconnectionTime, 1_000) * (2 ** this.#failures - 1);
    const delay = this.#reconnectionTime + Math.random() * Math.min(limit, MAX_EXTRA);
    return new Promise((resolve) => {
      this.#timer = setTimeout(resolve, timerDelay(delay));
    });
  }

  #handler<T>(type: string): Handler<T> {
    return (this.#handlers[type] ?? null) as Handler<T>;
  }

  /** An event handler IDL attribute: https://html.spec.whatwg.org/multipage/webappapis.html#event-handler-idl-attributes */
  #setHandler(type: string, handler: unknown): void {
    // [LegacyTreatNonObjectAsNull]: https://webidl.spec.whatwg.org/#LegacyTreatNonObjectAsNull
    this.#handlers[type] = isObject(handler) ? handler : null;
    // "If the given value is null, then deactivate an event handler". Another function keeps the turn among the
    // listeners that the first one got.
    if (isObject(handler)) this.addEventListener(type, this.#handle);
    else this.removeEventListener(type, this.#handle);
  }

  /** The form that Web IDL gives an interface and its members: https://webidl.spec.whatwg.org/#js-interfaces */
  static {
    const { prototype } = this;
    for (const name of Object.getOwnPropertyNames(prototype))
      Object.defineProperty(prototype, name, { enumerable: name !== 'constructor' });
    for (const [name, value] of Object.entries({ CONNECTING, OPEN, CLOSED })) {
      for (const target of [this, prototype])
        Object.defineProperty(target, name, { value, enumerable: true });
    }
    Object.defineProperty(prototype, Symbol.toStringTag, { value: 'EventSource', configurable: true });
  }
}

/**
 * The conversion of a dictionary, which ignores names it doesn't know: https://webidl.spec.whatwg.org/#js-dictionary
 *
 * @throws {TypeError} if it is none, or if an option that isn't in the standard is of the wrong type.
 */
function readOptions(options: EventSourceOptions | null): EventSourceOptions {
  if (options !== null && !isObject(options))
    throw new TypeError(`Expected an object, got ${typeof options}.`);
  const read = { ...options, withCredentials: Boolean(options?.withCredentials) };
  const { fetch = judge, headers } = read;
  if (typeof fetch !== 'function')
    throw new TypeError(`Expected \`fetch\` to be a function, got ${typeof fetch}.`);
  // Names and values that HTTP doesn't allow are a TypeError.
  if (typeof headers !== 'function') new Headers(headers as HeadersInit);
  return read;
}

function isObject(value: unknown): value is object {
  return typeof value === 'function' || (typeof value === 'object' && value !== null);
}

function judge({ status, headers }: EventSourceResponse): TidingsError | undefined {
  if (status === 200 && isEventStream(headers)) return undefined;
  const code = status === 200 ? 'client/content-type' : 'client/http-status';
  const contentType = headers.get('content-type');
  const message = `Expected 200 text/event-stream, got ${status} ${contentType}.`;
  return new TidingsError(code, message, { status, details: { contentType } });
}

function toNetworkError(cause: unknown): TidingsError {
  return new TidingsError('client/network', 'The connection failed.', {
    cause,
  });
}
