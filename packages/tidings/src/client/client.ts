import { GAP, GOODBYE, type Gap, RESERVED_PREFIX, WELCOME } from '../protocol/control.ts';
import type { DecodedEvent } from '../protocol/decode.ts';
import type { TidingsError } from '../protocol/errors.ts';
import { type Channel, createChannel } from './channel.ts';
import { type Connection, openConnection, type StreamItem } from './connection.ts';
import { createCursorKeeper, type CursorKeeper } from './cursor-keeper.ts';
import { createFeed } from './feed.ts';
import { type Effect, INITIAL, type Input, type State, type Status, transition } from './machine.ts';
import { type Opening, readGaps, readGoodbye, readWelcome, UNANNOUNCED } from './notices.ts';
import { type ClientOptions, resolveSettings, type Settings } from './options.ts';

export interface ReceivedEvent {
  /** `message` unless the publisher named it. */
  readonly type: string;
  readonly data: string;
  /** Where a connection that is to follow this event goes on; empty if the server sends no ids. */
  readonly cursor: string;
  /** @throws {SyntaxError} if the data is not JSON. */
  json<T = unknown>(): T;
}

/** With `retryIn`, in milliseconds, the client goes on by itself; without, it has failed for good. */
export interface NextTry {
  readonly retryIn?: number;
}

/**
 * A stream of events that outlives its connections.
 *
 * A listener that throws harms neither the stream nor the other listeners: its error becomes the runtime's uncaught
 * one, as with `EventTarget`. (In Node that ends the process, unless `uncaughtException` is handled.)
 *
 * Iterating yields all events but those of reserved types, from the first call of `next` on. The stream is read no
 * faster than the slowest iterator is, and listeners wait along with it: the server keeps the cursor, and nothing is
 * queued here. It ends when the client is closed and throws when it fails.
 */
export interface EventClient extends AsyncIterable<ReceivedEvent, undefined> {
  readonly status: Status;
  /** Of the last event that listeners and iterators were given. */
  readonly cursor: string | undefined;
  /**
   * Events of one type, reserved ones included; those without a name are of type `message`.
   * @returns what removes the listener.
   */
  on(type: string, listener: (event: ReceivedEvent) => void): () => void;
  /** Once for each connection, before its events. */
  onOpen(listener: (opening: Opening) => void): () => void;
  /** Events are missing: what was made of the earlier ones has to be fetched anew. */
  onGap(listener: (gaps: readonly Gap[]) => void): () => void;
  onError(listener: (error: TidingsError, next: NextTry) => void): () => void;
  onStatus(listener: (status: Status) => void): () => void;
  /** Ends everything at once and for good; listeners are removed and iterators end. */
  close(): void;
}

/** @throws {TidingsError} `client/invalid-option` */
export function connect(url: string | URL, options: ClientOptions = {}): EventClient {
  const client = new Client(
    resolveSettings(url, options),
    createCursorKeeper(options.cursor, options.persist),
  );
  client.start();
  return client;
}

/** What a stream is made of, besides settings. */
type Frame = Exclude<StreamItem, { readonly retry: number }>;

class Client implements EventClient {
  readonly #settings: Settings;
  readonly #keeper: CursorKeeper;
  readonly #inputs: Input[] = [];
  #stepping = false;
  #state: State = INITIAL;
  #connection: Connection | undefined;
  #stopWaiting: (() => void) | undefined;
  #stopWaking: (() => void) | undefined;
  readonly #events = new Map<string, Channel<[ReceivedEvent]>>();
  readonly #openings: Channel<[Opening]> = createChannel();
  readonly #gaps: Channel<[readonly Gap[]]> = createChannel();
  readonly #errors: Channel<[TidingsError, NextTry]> = createChannel();
  readonly #statuses: Channel<[Status]> = createChannel();
  readonly #feed = createFeed<ReceivedEvent>();

  constructor(settings: Settings, keeper: CursorKeeper) {
    this.#settings = settings;
    this.#keeper = keeper;
  }

  start(): void {
    this.#stopWaking = whenOnline(() => this.#send({ type: 'wake' }));
    this.#connect();
  }

  get status(): Status {
    return this.#state.status;
  }

  get cursor(): string | undefined {
    return this.#keeper.cursor;
  }

  on(type: string, listener: (event: ReceivedEvent) => void): () => void {
    const channel = this.#events.get(type) ?? createChannel<[ReceivedEvent]>();
    this.#events.set(type, channel);
    const remove = channel.add(listener);
    return () => {
      remove();
      if (channel.size === 0 && this.#events.get(type) === channel) this.#events.delete(type);
    };
  }

  onOpen(listener: (opening: Opening) => void): () => void {
    return this.#openings.add(listener);
  }

  onGap(listener: (gaps: readonly Gap[]) => void): () => void {
    return this.#gaps.add(listener);
  }

  onError(listener: (error: TidingsError, next: NextTry) => void): () => void {
    return this.#errors.add(listener);
  }

  onStatus(listener: (status: Status) => void): () => void {
    return this.#statuses.add(listener);
  }

  [Symbol.asyncIterator](): AsyncIterator<ReceivedEvent, undefined> {
    return this.#feed.iterate();
  }

  close(): void {
    this.#send({ type: 'close' });
  }

  /** A listener that is called for one input may cause the next: that waits until the first is through. */
  #send(input: Input): void {
    this.#inputs.push(input);
    if (this.#stepping) return;
    this.#stepping = true;
    for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift()) {
      const { state, effects } = transition(this.#settings.retry, this.#state, next, this.#settings.random());
      this.#state = state;
      for (const effect of effects) this.#perform(effect);
    }
    this.#stepping = false;
  }

  #perform(effect: Effect): void {
    switch (effect.type) {
      case 'connect':
        return this.#connect();
      case 'disconnect':
        this.#connection?.close();
        return this.#keeper.save();
      case 'wait':
        this.#stopWaiting = this.#settings.timers.setTimer(
          () => this.#send({ type: 'elapsed' }),
          effect.delay,
        );
        return;
      case 'stop-waiting':
        return this.#stopWaiting?.();
      case 'status':
        return this.#statuses.emit(effect.status);
      case 'report':
        return this.#errors.emit(
          effect.error,
          effect.retryIn === undefined ? {} : { retryIn: effect.retryIn },
        );
      case 'finish':
        return this.#finish(effect.error);
    }
  }

  #connect(): void {
    let proved = false;
    this.#connection = openConnection(this.#settings, this.#keeper.cursor, {
      onInput: (input) => this.#send(input),
      onItem: (item) => {
        if ('retry' in item) {
          this.#send({ type: 'retry', delay: item.retry });
          return undefined;
        }
        if (!proved) this.#greet(item);
        proved = true;
        // Whoever was greeted may have closed the client.
        return this.#state.status === 'open' ? this.#handOut(item) : undefined;
      },
      onIdle: () => this.#keeper.save(),
      silence: () => ('silence' in this.#state ? this.#state.silence : undefined),
    });
  }

  /** The first frame: a hub introduces itself, other servers just begin. */
  #greet(item: Frame): void {
    const opening = 'type' in item && item.type === WELCOME ? readWelcome(item.data) : UNANNOUNCED;
    this.#send({ type: 'proved', heartbeat: opening.heartbeat });
    this.#openings.emit(opening);
    if (opening.gaps.length > 0) this.#gaps.emit(opening.gaps);
  }

  /** The cursor moves only once everyone has been given the event: what a drop or a reload cuts off comes again. */
  #handOut(item: Frame): Promise<void> | undefined {
    if ('onlyId' in item) {
      this.#keeper.move(item.onlyId);
      return undefined;
    }
    const event: ReceivedEvent = { type: item.type, data: item.data, cursor: item.id, json };
    if (item.type === GAP) this.#gaps.emit(readGaps(item.data));
    this.#events.get(item.type)?.emit(event);
    const behind = item.type.startsWith(RESERVED_PREFIX) ? undefined : this.#feed.offer(event);
    if (behind === undefined) {
      this.#moveTo(item);
      return undefined;
    }
    this.#keeper.save();
    return behind.then(() => {
      if (this.#state.status === 'open') this.#moveTo(item);
    });
  }

  #moveTo(event: DecodedEvent): void {
    this.#keeper.move(event.id);
    // A listener may have closed the client, and then nothing saves the cursor any more.
    if (this.#state.status !== 'open') this.#keeper.save();
    if (event.type === GOODBYE) this.#send({ type: 'goodbye', retry: readGoodbye(event.data) });
  }

  #finish(error: TidingsError | undefined): void {
    this.#feed.finish(error);
    this.#stopWaking?.();
    for (const channel of [
      this.#openings,
      this.#gaps,
      this.#errors,
      this.#statuses,
      ...this.#events.values(),
    ]) {
      channel.clear();
    }
    this.#events.clear();
  }
}

function json<T>(this: ReceivedEvent): T {
  return JSON.parse(this.data) as T;
}

/**
 * In browsers and workers; other runtimes don't tell. Freezing a page, or keeping it for the back button, needs no
 * such care: if that cut the stream, reading it fails or the watchdog bites when the page goes on.
 *
 * @returns what ends it.
 */
function whenOnline(task: () => void): () => void {
  const target = globalThis as Partial<Pick<Window, 'addEventListener' | 'removeEventListener'>>;
  target.addEventListener?.('online', task);
  return () => target.removeEventListener?.('online', task);
}
