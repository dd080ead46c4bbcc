import { EXPIRING, GAP, GOODBYE, type Gap, WELCOME } from '../protocol/control.ts';
import type { DecodedEvent } from '../protocol/decode.ts';
import { createError } from '../protocol/errors.ts';
import type { Matcher } from '../protocol/matcher.ts';
import { TidingsError } from '../protocol/tidings-error.ts';
import type { ChangingTopics } from './changes.ts';
import { type Channel, createChannel, reportUncaught } from './channel.ts';
import { type Connection, openConnection, type StreamItem } from './connection.ts';
import { createCursorKeeper, type CursorKeeper } from './cursor-keeper.ts';
import { createDelivery } from './delivery.ts';
import type { Sign } from './environment.ts';
import type { EventClient, NextTry, ReceivedEvent } from './event-client.ts';
import { loadCursor, staleLoad } from './load.ts';
import {
  type Effect,
  INITIAL,
  type Input,
  longestSilence,
  type State,
  type Status,
  transition,
} from './machine.ts';
import {
  type Opening,
  readCredentials,
  readExpiring,
  readGaps,
  readGoodbye,
  readWelcome,
  UNANNOUNCED,
} from './notices.ts';
import { type ClientOptions, resolveSettings, type Settings } from './options.ts';
import { createPlainTopics, fitsIntoUrl, isMatcher, type Request, type Topics } from './plain-topics.ts';
import type { FetchResponse } from './web.ts';

/** @throws {TidingsError} `client/invalid-option` */
export function connect(url: string | URL, options: ClientOptions = {}): EventClient {
  const settings = resolveSettings(url, options);
  const storage = options.persist === undefined ? undefined : settings.environment.storage;
  const keeper = createCursorKeeper(options.cursor, options.persist, storage);
  const client = new Client(settings, keeper);
  client.start(options.signal);
  return client;
}

/** What moves the cursor or reaches listeners. */
type Frame = DecodedEvent | { readonly onlyId: string };

/** Why there is to be no connection: the app, the page out of sight, the page being left. */
type Hold = 'app' | 'hide' | 'leave';

/** One connection, as far as the client knows of it. */
interface Session {
  readonly connection: Connection;
  /** For a whole answer. */
  readonly poll: boolean;
  /** It goes on from what `load` has just returned. */
  fresh: boolean;
  response: FetchResponse | undefined;
  /** Listeners know of it. */
  opened: boolean;
  /** The first frame came. */
  begun: boolean;
  /** It has moved the cursor. */
  moved: boolean;
}

/** How much longer than the heartbeats it announced to believe in a server that is silent, in milliseconds. */
const SLACK = 5_000;

/** Older runtimes don't have it, and nobody can ask for it there. */
const asyncDispose: typeof Symbol.asyncDispose = Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose');

class Client implements EventClient {
  readonly #settings: Settings;
  readonly #keeper: CursorKeeper;
  readonly #plainTopics: ReturnType<typeof createPlainTopics>;
  #topics: Topics;
  #changing: Promise<ChangingTopics> | undefined;
  readonly #inputs: Input[] = [];
  #stepping = false;
  #state: State = INITIAL;
  #session: Session | undefined;
  readonly #holds = new Set<Hold>();
  /** What the app has to load before anything else, because of these gaps. */
  #due: readonly Gap[] | undefined;
  #end: TidingsError | undefined;
  #stopWaiting: (() => void) | undefined;
  readonly #cleanUp: (() => void)[] = [];
  readonly #delivery = createDelivery();
  readonly #openings: Channel<[Opening]> = createChannel();
  readonly #gaps: Channel<[readonly Gap[]]> = createChannel();
  readonly #errors: Channel<[TidingsError, NextTry]> = createChannel();
  readonly #statuses: Channel<[Status]> = createChannel();
  readonly #comments: Channel<[string]> = createChannel();

  constructor(settings: Settings, keeper: CursorKeeper) {
    this.#settings = settings;
    this.#keeper = keeper;
    this.#plainTopics = createPlainTopics(settings.topics);
    this.#topics = this.#plainTopics;
    if (settings.load !== undefined && keeper.cursor === undefined) this.#due = [];
  }

  start(signal: AbortSignal | undefined): void {
    const close = (): void => this.close();
    signal?.addEventListener('abort', close);
    this.#cleanUp.push(
      this.#settings.environment.watch((sign) => this.#heedSign(sign)),
      () => signal?.removeEventListener('abort', close),
    );
    if (signal?.aborted === true) close();
    else if (this.#state === INITIAL) this.#connect(this.#settings.longPoll === 'always');
  }

  get status(): Status {
    return this.#state.status;
  }

  get cursor(): string | undefined {
    return this.#keeper.cursor;
  }

  on(type: string, listener: (event: ReceivedEvent) => void): () => void {
    return this.#delivery.on(type, listener);
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

  onComment(listener: (text: string) => void): () => void {
    return this.#comments.add(listener);
  }

  [Symbol.asyncIterator](): AsyncIterator<ReceivedEvent, undefined> {
    return this.#delivery.iterate(() => this.close());
  }

  events(): AsyncIterableIterator<ReceivedEvent, undefined> {
    return this.#delivery.iterate();
  }

  subscribe(...topics: Matcher[]): Promise<string> {
    return this.#change(topics, []);
  }

  unsubscribe(...topics: Matcher[]): Promise<string> {
    return this.#change([], topics);
  }

  pause(): void {
    this.#hold('app');
  }

  resume(): void {
    this.#release('app');
  }

  reconnect(): void {
    this.#send({ type: 'reconnect' });
  }

  close(): void {
    this.#send({ type: 'close' });
  }

  [asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  async #change(add: readonly Matcher[], drop: readonly Matcher[]): Promise<string> {
    for (const topic of [...add, ...drop] as unknown[]) {
      if (!isMatcher(topic))
        throw createError('topic/invalid', `Expected a topic or { pattern }, got ${String(topic)}.`);
    }
    if (this.#end !== undefined) throw this.#end;
    const changing = await this.#changeable();
    const changed = changing.change({ add, drop });
    // What is waited for would be an answer for other topics.
    if (this.#session?.poll === true) this.#send({ type: 'replace' });
    return changed;
  }

  #changeable(): Promise<ChangingTopics> {
    this.#changing ??= this.#loadChanges();
    return this.#changing;
  }

  async #loadChanges(): Promise<ChangingTopics> {
    const { takeOver } = await import('./changes.ts').catch((cause: unknown) => {
      this.#changing = undefined;
      const message = 'The part of the client that changes topics could not be loaded.';
      throw new TidingsError('client/network', message, { cause });
    });
    const changing = takeOver(this.#settings, this.#plainTopics.known, {
      url: () => this.#changeUrl(),
      onReplace: () => this.#send({ type: 'replace' }),
      onFailure: (failure) => this.#send(failure),
      onLost: (topics) => this.#miss([{ topics, reason: 'unknown-cursor' }]),
    });
    this.#topics = changing;
    if (this.#end !== undefined) changing.finish(this.#end);
    return changing;
  }

  /** Behind a redirect, if there is one: that would make a GET of a POST. */
  #changeUrl(): string {
    const { url } = this.#settings;
    const { redirected, url: final } = this.#session?.response ?? {};
    const isNear =
      redirected === true && final !== undefined && new URL(final).origin === new URL(url).origin;
    return isNear ? final : url;
  }

  #heedSign(sign: Sign): void {
    if (sign === 'leave') this.#hold('leave');
    else if (sign === 'hide') {
      if (this.#settings.pauseHidden) this.#hold('hide');
    } else {
      if (sign === 'show') this.#release('hide');
      if (sign === 'return') this.#release('leave');
      this.#send({ type: 'wake' });
    }
  }

  #hold(reason: Hold): void {
    this.#holds.add(reason);
    this.#send({ type: 'pause' });
  }

  #release(reason: Hold): void {
    if (this.#holds.delete(reason) && this.#holds.size === 0) this.#send({ type: 'resume' });
  }

  /** A listener that is called for one input may cause the next: that waits until the first is through. */
  #send(input: Input): void {
    this.#inputs.push(input);
    if (this.#stepping) return;
    this.#stepping = true;
    const { retry: policy, random, timers } = this.#settings;
    for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift()) {
      const circumstances = { policy, longPoll: this.#longPoll(), dice: random(), now: timers.now() };
      const { state, effects } = transition(this.#state, next, circumstances);
      this.#state = state;
      for (const effect of effects) this.#perform(effect);
    }
    this.#stepping = false;
  }

  /** Nobody but a hub knows what is meant by asking for a whole answer. */
  #longPoll(): 'auto' | 'always' | 'never' {
    const { longPoll, topics, load } = this.#settings;
    if (longPoll !== 'auto') return longPoll;
    return topics.length > 0 || load !== undefined || this.#heartbeat() !== undefined ? 'auto' : 'never';
  }

  #heartbeat(): number | undefined {
    return 'heartbeat' in this.#state ? this.#state.heartbeat : undefined;
  }

  #perform(effect: Effect): void {
    switch (effect.type) {
      case 'connect':
        return this.#connect(effect.poll);
      case 'disconnect':
        this.#session?.connection.close();
        this.#session = undefined;
        this.#topics.left();
        return this.#keeper.save();
      case 'test': {
        const limit = longestSilence(this.#heartbeat(), SLACK, 1) ?? this.#settings.timeouts.read;
        return limit === undefined ? undefined : this.#session?.connection.expect(limit);
      }
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

  #connect(poll: boolean): void {
    const session: Session = {
      connection: openConnection(this.#settings, poll, {
        // They are called later, when `session` is there.
        prepare: (signal) => this.#prepare(() => session, signal),
        request: () => this.#request(poll),
        onResponse: (response) => void (session.response = response),
        onInput: (input) => this.#send(input),
        onItem: (item) => this.#receive(session, item),
        onIdle: () => {
          this.#keeper.save();
          // A hub begins with its welcome. Others may have nothing to say for long, but are there.
          if (this.#longPoll() === 'never') this.#open(session, undefined);
        },
        silence: () => longestSilence(this.#heartbeat(), SLACK),
        moved: () => session.moved,
      }),
      poll,
      fresh: false,
      response: undefined,
      opened: false,
      begun: false,
      moved: false,
    };
    this.#session = session;
  }

  #prepare(session: () => Session, signal: AbortSignal): Promise<void> | undefined {
    const gaps = this.#due;
    if (gaps === undefined) return undefined;
    return loadCursor(this.#settings, { gaps, signal }).then((cursor) => {
      if (signal.aborted) return;
      this.#due = undefined;
      session().fresh = true;
      this.#keeper.move(cursor);
      this.#topics.begin();
    });
  }

  #request(poll: boolean): Request | Promise<Request> {
    // What is offered will be taken, so it needn't come again.
    const { offered } = this.#delivery;
    const cursor = offered === undefined ? this.#keeper.cursor : offered.id || undefined;
    const ask = (): Request => this.#topics.request(cursor, poll);
    const changes = this.#changing !== undefined || !fitsIntoUrl(this.#settings.topics);
    // Should that part be missing, a URL that is too long is better than none.
    return changes && this.#topics === this.#plainTopics ? this.#changeable().then(ask, ask) : ask();
  }

  #receive(session: Session, item: StreamItem): Promise<void> | undefined {
    if ('retry' in item || 'comment' in item) {
      if ('retry' in item) this.#send({ type: 'retry', delay: item.retry });
      else this.#comments.emit(item.comment);
      return undefined;
    }
    if (!session.begun) this.#greet(session, item);
    const { offered } = this.#delivery;
    if (offered === undefined) return this.#handOut(session, item);
    return offered.taken.then(() => this.#handOut(session, item));
  }

  /** The first frame: a hub introduces itself, other servers just begin. */
  #greet(session: Session, item: Frame): void {
    session.begun = true;
    const welcome = 'type' in item && item.type === WELCOME ? item.data : undefined;
    this.#open(session, welcome);
    if (session !== this.#session) return;
    session.fresh = false;
    this.#topics.greeted({
      credentials: welcome === undefined || session.poll ? undefined : readCredentials(welcome),
      cursor: 'onlyId' in item ? item.onlyId : item.id,
      announced: welcome !== undefined,
    });
  }

  #open(session: Session, welcome: string | undefined): void {
    const introduction = welcome === undefined ? UNANNOUNCED : readWelcome(welcome);
    if (session.begun) this.#send({ type: 'announced', heartbeat: introduction.heartbeat });
    const { response } = session;
    // A welcome that comes after comments says more than they did.
    if ((session.opened && welcome === undefined) || response === undefined) return;
    session.opened = true;
    const { status, headers, url = this.#settings.url } = response;
    this.#openings.emit({ ...introduction, response: { status, headers, url } });
    if (introduction.gaps.length > 0 && session === this.#session) this.#miss(introduction.gaps);
  }

  /** Events are missing. If the app can load what they were about, nothing more is handed out before it has. */
  #miss(gaps: readonly Gap[]): void {
    const session = this.#session;
    this.#gaps.emit(gaps);
    if (this.#settings.load === undefined || session === undefined || session !== this.#session) return;
    this.#due = gaps;
    this.#delivery.retract();
    this.#send(session.fresh ? { type: 'dropped', error: staleLoad(gaps) } : { type: 'reload' });
  }

  /** The cursor moves only once everyone has been given the event: what a drop or a reload cuts off comes again. */
  #handOut(session: Session, item: Frame): Promise<void> | undefined {
    // Whoever was greeted, or was given an event, may have closed the client.
    if (session !== this.#session) return undefined;
    if ('onlyId' in item) {
      this.#moveTo(session, item, item.onlyId);
      return undefined;
    }
    const offer = this.#delivery.give(item);
    if (item.type === GAP) this.#miss(readGaps(item.data));
    if (offer === undefined) {
      this.#after(session, item);
      return undefined;
    }
    this.#keeper.save();
    return offer.taken.then((taken) => {
      if (taken && this.#end === undefined) this.#after(session, item);
    });
  }

  #after(session: Session, item: DecodedEvent): void {
    // Loading has moved the cursor, or will.
    if (this.#due !== undefined) return;
    this.#moveTo(session, item, item.id);
    if (this.#isLast(item)) this.#send({ type: 'ended' });
    if (session !== this.#session) return;
    if (item.type === GOODBYE) this.#send({ type: 'goodbye', retry: readGoodbye(item.data) });
    else if (item.type === EXPIRING) void this.#renew(readExpiring(item.data));
  }

  #isLast(event: DecodedEvent): boolean {
    try {
      return this.#settings.isLast?.(event) === true;
    } catch (error) {
      reportUncaught(error);
      return false;
    }
  }

  #moveTo(session: Session, item: Frame, id: string): void {
    const moved = id !== (this.#keeper.cursor ?? '');
    if (session === this.#session) this.#topics.handed(item, moved);
    session.moved ||= moved;
    this.#keeper.move(id);
    // A listener may have closed the client, and then nothing saves the cursor any more.
    if (session !== this.#session) this.#keeper.save();
  }

  /** Should it fail, the stream ends when it was to end, and the next one is asked for with new headers. */
  async #renew(within: number): Promise<void> {
    const error = await this.#changeable().then(
      (changing) => changing.renew(),
      (cause: unknown) => cause as TidingsError,
    );
    if (error !== undefined) this.#errors.emit(error, { retryIn: within });
  }

  #finish(error: TidingsError | undefined): void {
    this.#end = error ?? new TidingsError('client/closed', 'The client is closed.');
    this.#delivery.finish(error);
    this.#topics.finish(this.#end);
    for (const cleanUp of this.#cleanUp.splice(0)) cleanUp();
    for (const channel of [this.#openings, this.#gaps, this.#errors, this.#statuses, this.#comments])
      channel.clear();
  }
}
