import { EXPIRING, GAP, GOODBYE, type Gap, RESERVED_PREFIX, WELCOME } from '../protocol/control.ts';
import type { DecodedEvent } from '../protocol/decode.ts';
import { TidingsError } from '../protocol/tidings-error.ts';
import type { Matcher } from '../protocol/matcher.ts';
import { type Channel, createChannel } from './channel.ts';
import { type Connection, openConnection, type StreamItem } from './connection.ts';
import { createCursorKeeper, type CursorKeeper } from './cursor-keeper.ts';
import type { EventClient, NextTry, ReceivedEvent } from './event-client.ts';
import { createFeed } from './feed.ts';
import { type Effect, INITIAL, type Input, type State, type Status, transition } from './machine.ts';
import {
  type Opening,
  readCredentials,
  readExpiring,
  readGaps,
  readGoodbye,
  readWelcome,
  UNANNOUNCED,
} from './notices.ts';
import { whenOnline } from './online.ts';
import { type ClientOptions, resolveSettings, type Settings } from './options.ts';
import { createSubscriptions, type Subscriptions } from './subscriptions.ts';

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
  readonly #subscriptions: Subscriptions;
  readonly #inputs: Input[] = [];
  #stepping = false;
  #state: State = INITIAL;
  #connection: Connection | undefined;
  /** An event that an iterator has not come for yet. Nothing else is handed out before, whichever connection brings it. */
  #offered: { readonly id: string; readonly taken: Promise<void> } | undefined;
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
    this.#subscriptions = createSubscriptions(settings, {
      onReplace: () => this.#send({ type: 'replace' }),
      onFailure: (failure) => this.#send(failure),
      onLost: (topics) => this.#gaps.emit([{ topics, reason: 'unknown-cursor' }]),
    });
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

  subscribe(...topics: Matcher[]): Promise<string> {
    return this.#subscriptions.change({ add: topics, drop: [] });
  }

  unsubscribe(...topics: Matcher[]): Promise<string> {
    return this.#subscriptions.change({ add: [], drop: topics });
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
        this.#subscriptions.left();
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
    const handOut = (item: Frame): Promise<void> | undefined =>
      // Whoever was greeted, or was given an event, may have closed the client.
      this.#connection === connection && this.#state.status === 'open' ? this.#handOut(item) : undefined;
    const connection = openConnection(this.#settings, {
      request: () => this.#subscriptions.request(this.#place()),
      onInput: (input) => this.#send(input),
      onItem: (item) => {
        if ('retry' in item) {
          this.#send({ type: 'retry', delay: item.retry });
          return undefined;
        }
        if (!proved) this.#greet(item);
        proved = true;
        return this.#offered === undefined ? handOut(item) : this.#offered.taken.then(() => handOut(item));
      },
      onIdle: () => this.#keeper.save(),
      silence: () => ('silence' in this.#state ? this.#state.silence : undefined),
    });
    this.#connection = connection;
  }

  /** What is offered will be taken, so it needn't come again. */
  #place(): string | undefined {
    return this.#offered === undefined ? this.#keeper.cursor : this.#offered.id || undefined;
  }

  /** The first frame: a hub introduces itself, other servers just begin. */
  #greet(item: Frame): void {
    const welcome = 'type' in item && item.type === WELCOME ? item.data : undefined;
    const opening = welcome === undefined ? UNANNOUNCED : readWelcome(welcome);
    this.#send({ type: 'proved', heartbeat: opening.heartbeat });
    this.#openings.emit(opening);
    if (opening.gaps.length > 0) this.#gaps.emit(opening.gaps);
    const cursor = 'onlyId' in item ? item.onlyId : item.id;
    const credentials = welcome === undefined ? undefined : readCredentials(welcome);
    this.#subscriptions.greeted(credentials, cursor, welcome !== undefined);
  }

  /** The cursor moves only once everyone has been given the event: what a drop or a reload cuts off comes again. */
  #handOut(item: Frame): Promise<void> | undefined {
    if ('onlyId' in item) {
      this.#moveTo(item, item.onlyId);
      return undefined;
    }
    const event: ReceivedEvent = { type: item.type, data: item.data, cursor: item.id, json };
    if (item.type === GAP) this.#gaps.emit(readGaps(item.data));
    this.#events.get(item.type)?.emit(event);
    const behind = item.type.startsWith(RESERVED_PREFIX) ? undefined : this.#feed.offer(event);
    if (behind === undefined) {
      this.#moveTo(item, item.id);
      this.#heed(item);
      return undefined;
    }
    this.#keeper.save();
    const connection = this.#connection;
    const taken = behind.then(() => {
      this.#offered = undefined;
      // It was not taken, if the client was closed meanwhile.
      if (!('silence' in this.#state)) return;
      if (connection === this.#connection) this.#moveTo(item, item.id);
      else this.#keeper.move(item.id);
    });
    this.#offered = { id: item.id, taken };
    return taken;
  }

  #moveTo(item: Frame, id: string): void {
    this.#subscriptions.handed(item, id !== (this.#keeper.cursor ?? ''));
    this.#keeper.move(id);
    // A listener may have closed the client, and then nothing saves the cursor any more.
    if (this.#state.status !== 'open') this.#keeper.save();
  }

  #heed({ type, data }: DecodedEvent): void {
    if (type === GOODBYE) this.#send({ type: 'goodbye', retry: readGoodbye(data) });
    if (type === EXPIRING) void this.#renew(readExpiring(data));
  }

  /** Should it fail, the stream ends when it was to end, and the next one is asked for with new headers. */
  async #renew(within: number): Promise<void> {
    const error = await this.#subscriptions.renew();
    if (error !== undefined) this.#errors.emit(error, { retryIn: within });
  }

  #finish(error: TidingsError | undefined): void {
    this.#feed.finish(error);
    this.#subscriptions.finish(error ?? new TidingsError('client/closed', 'The client is closed.'));
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
