import { formatCursor } from '../protocol/cursor.ts';
import { createError } from '../protocol/errors.ts';
import { type EventInput, type EventOptions, toNewEvent } from '../protocol/event.ts';
import {
  type ChangeRequest,
  type ConnectRequest,
  Connection,
  type ConnectionInfo,
  type Delivery,
} from './delivery/connection.ts';
import type { Compression } from './compression.ts';
import { Conflation } from './conflation.ts';
import { FanOut } from './delivery/fan-out.ts';
import type { EventLog } from '../log/event-log.ts';
import { type HubLimits, type HubOptions, type ResolvedHubOptions, resolveOptions } from './options.ts';
import { type Checks, aNumber, assertOptions } from '../protocol/options.ts';
import { type Presence, PresenceTracker } from './presence/presence.ts';
import { Registry } from './registry.ts';
import { Subscriptions } from './delivery/subscription.ts';
import { Sweep } from './sweep.ts';

/** What a publisher gets back. */
export interface Published {
  /** Stands right after the event: who connects with it gets what came later. */
  readonly cursor: string;
  /**
   * Nothing was appended, since another event stands for this one, and `cursor` is that one's: an earlier one of the
   * same `id`, or a newer one of the same `key` within the topic's interval.
   */
  readonly duplicate: boolean;
}

export interface HubStats {
  /** Now. */
  readonly connections: number;
  readonly live: number;
  readonly behind: number;
  /** Distinct topics and patterns that connections ask for. */
  readonly topics: number;
  /** Since the hub was made. */
  readonly connected: number;
  readonly published: number;
  /** Events handed to a transport, counted once for each connection; and the bytes of all frames. */
  readonly delivered: number;
  readonly bytes: number;
  readonly flushes: number;
  /** Connections dropped since their peer took nothing. */
  readonly stalled: number;
  /** Milliseconds from append to the last write of the flush, over the newest 1024 flushes. */
  readonly deliveryLag: { readonly p50: number; readonly p99: number };
  readonly tail: {
    readonly events: number;
    readonly bytes: number;
    readonly head: number;
    readonly epoch: string;
  };
}

export interface DisconnectOptions {
  /** Milliseconds that clients are told to wait before they connect again. Default: the hub's `retry`, spread out. */
  readonly retry?: number;
}

export interface CloseOptions {
  /** Milliseconds that peers have to take what was sent to them. Default 5,000. */
  readonly within?: number;
}

const DISCONNECT_OPTIONS: Checks<DisconnectOptions> = { retry: aNumber({ min: 0, finite: true }) };
const CLOSE_OPTIONS: Checks<CloseOptions> = { within: aNumber({ min: 0 }) };

/** Reconnects that are asked for in each second, when many are told to come back. */
const RECONNECTS_PER_SECOND = 1000;

/** Takes events in, gives them out to connections. Made by `createHub`. */
export class Hub {
  readonly limits: HubLimits;
  readonly #options: ResolvedHubOptions;
  readonly #log: EventLog;
  readonly #registry: Registry;
  readonly #subscriptions = new Subscriptions();
  readonly #counters = { connected: 0, published: 0, delivered: 0, bytes: 0, flushes: 0, stalled: 0 };
  readonly #conflation: Conflation;
  readonly #fanOut: FanOut;
  readonly #sweep: Sweep;
  readonly #presence: PresenceTracker;
  readonly #delivery: Delivery;
  #closing: Promise<void> | undefined;
  #onEmpty: (() => void) | undefined;

  constructor(options: HubOptions & { readonly log: EventLog }) {
    const resolved = resolveOptions(options);
    this.#options = resolved;
    this.#log = resolved.log;
    this.limits = resolved.limits;
    this.#registry = new Registry(resolved.limits);
    this.#conflation = new Conflation(resolved.log, resolved.clock);
    this.#fanOut = new FanOut({
      tail: resolved.log.tail,
      subscriptions: this.#subscriptions,
      clock: resolved.clock,
      counters: this.#counters,
      window: resolved.flushWindow,
    });
    this.#delivery = {
      log: resolved.log,
      clock: resolved.clock,
      subscriptions: this.#subscriptions,
      counters: this.#counters,
      heartbeat: resolved.heartbeat,
      retry: resolved.retry,
      flush: () => this.#fanOut.flush(),
      report: resolved.onError,
      forget: (connection) => this.#forget(connection),
    };
    resolved.log.tail.onMiss((topics) => this.#fallBehind(topics));
    this.#presence = new PresenceTracker(resolved.presence, resolved.log, resolved.clock, resolved.onError);
    this.#sweep = new Sweep({
      delivery: this.#delivery,
      registry: this.#registry,
      stallTimeout: resolved.stallTimeout,
      maxLifetime: resolved.maxLifetime,
      expiryNotice: resolved.expiryNotice,
      retryAfterEnd: () => resolved.retry * (0.5 + resolved.random()),
      counters: this.#counters,
    });
  }

  /** What streams may be compressed with. */
  get compression(): Compression | undefined {
    return this.#options.compression;
  }

  /** Whether `close` has been called: no new connections. */
  get closing(): boolean {
    return this.#closing !== undefined;
  }

  /**
   * Appends one event. Resolves when the log has it; connections get it by the end of the tick.
   *
   * @throws {TidingsError} what `toNewEvent` throws for bad input; `log/closed`; what the log's engine failed with.
   */
  async publish(
    topics: string | readonly string[],
    data: unknown,
    options: EventOptions = {},
  ): Promise<Published> {
    const [published] = await this.publishAll([{ ...options, topics, data }]);
    if (published === undefined) throw createError('log/closed', 'The log took the event but gave no seq.');
    return published;
  }

  /**
   * Appends several events side by side, all or none. Answers in their order. Throws like `publish`. Of a topic that
   * is a state, events that have to wait for its interval are appended when it ends.
   */
  async publishAll(events: readonly EventInput[]): Promise<readonly Published[]> {
    const appended = await this.#conflation.append(events.map((event) => toNewEvent(event, this.limits)));
    const { epoch } = this.#log.tail;
    return appended.map(({ seq, duplicate }) => {
      if (!duplicate) this.#counters.published += 1;
      return { cursor: formatCursor({ epoch, seq }), duplicate };
    });
  }

  /** The cursor at the head: read it, then read your database, and a page that connects with it misses nothing. */
  cursor(): string {
    const { epoch, head } = this.#log.tail;
    return formatCursor({ epoch, seq: head });
  }

  /**
   * For transports: admits a connection, which then waits for `open`.
   *
   * @throws {TidingsError} `hub/unavailable` (503), `limit/connections` (429), `auth/expired` (401).
   */
  connect(request: ConnectRequest): Connection {
    this.assertRoom(request.subject, request.remote);
    this.assertNotExpired(request.expiresAt);
    const { clock } = this.#options;
    this.#log.trim(clock.now()).catch(this.#delivery.report);
    const connection = new Connection(crypto.randomUUID(), request, this.#delivery);
    this.#registry.add(connection);
    this.#presence.join(request.wanted.topics, connection.member);
    this.#counters.connected += 1;
    this.#sweep.start();
    return connection;
  }

  /** For transports: the connection of this id, if `secret` is its own. */
  find(id: string, secret: string): Connection | undefined {
    const connection = this.#registry.get(id);
    return connection?.secret === secret ? connection : undefined;
  }

  /** For transports: changes what a connection is for. Throws `auth/expired` (401). @returns where it stands. */
  change(connection: Connection, request: ChangeRequest): string {
    this.assertNotExpired(request.expiresAt);
    const { wanted } = connection.request;
    const cursor = connection.change(request);
    this.#presence.join(difference(request.wanted.topics, wanted.topics), connection.member);
    this.#presence.leave(difference(wanted.topics, request.wanted.topics), connection.member.id);
    return cursor;
  }

  /** Whether a connection could be admitted now. Throws like `connect`. */
  assertRoom(subject: string | undefined, remote: string | undefined): void {
    if (this.closing) {
      const details = { retryAfter: Math.max(1, Math.ceil(this.#spread(this.#registry.size) / 1000)) };
      throw createError('hub/unavailable', 'This server is going down.', { details });
    }
    this.#registry.assertRoom(subject, remote);
  }

  connections(): readonly ConnectionInfo[] {
    return Array.from(this.#registry.values(), (connection) => connection.info);
  }

  /** How many connections would get an event of this topic, were it not private. */
  watchers(topic: string): number {
    let watchers = 0;
    for (const subscription of this.#subscriptions.index.match([topic])) watchers += subscription.members;
    return watchers;
  }

  /** Ends the connections that `where` picks, telling them so. @returns how many. */
  disconnect(where: (connection: ConnectionInfo) => boolean, options: DisconnectOptions = {}): number {
    const picked = [...this.#registry.values()].filter((connection) => where(connection.info));
    const { retry, random } = this.#options;
    assertOptions(options, DISCONNECT_OPTIONS);
    const spread = this.#spread(picked.length);
    for (const connection of picked) connection.end('evicted', options.retry ?? retry + random() * spread);
    return picked.length;
  }

  /** Who is subscribed to a topic that the hub's `presence` option matches. */
  presence(topic: string): Presence {
    return this.#presence.of(topic);
  }

  stats(): HubStats {
    let live = 0;
    for (const subscription of this.#subscriptions.values()) live += subscription.live.size;
    const [p50 = 0, p99 = 0] = this.#fanOut.lag.quantiles(0.5, 0.99);
    const { tail } = this.#log;
    return {
      ...this.#counters,
      connections: this.#registry.size,
      live,
      behind: this.#registry.size - live,
      topics: this.#subscriptions.index.size,
      deliveryLag: { p50, p99 },
      tail: { events: tail.length, bytes: tail.bytes, head: tail.head, epoch: tail.epoch },
    };
  }

  /**
   * Drains: refuses new connections with 503, tells the others when to come back, spread out, and closes the log
   * once they are gone or `within` has passed. Events can be published until then. Calls after the first one
   * wait for the same end.
   */
  close(options: CloseOptions = {}): Promise<void> {
    assertOptions(options, CLOSE_OPTIONS);
    if (this.#closing !== undefined) return this.#closing;
    // Closing before anybody is told: a listener for the end of a connection may call this, too, or connect.
    this.#closing = this.#drain(options.within ?? 5000);
    this.#sayGoodbye();
    return this.#closing;
  }

  #sayGoodbye(): void {
    const { random, retry } = this.#options;
    this.#fanOut.flush();
    const spread = Math.max(1000, this.#spread(this.#registry.size));
    for (const connection of [...this.#registry.values()]) connection.end('drain', retry + random() * spread);
    if (this.#registry.size === 0) this.#onEmpty?.();
  }

  async #drain(within: number): Promise<void> {
    const gone = new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
    const cancel = this.#options.clock.setTimer(() => {
      for (const connection of [...this.#registry.values()]) connection.destroy();
    }, within);
    await gone;
    cancel();
    this.#conflation.flush();
    this.#presence.stop();
    this.#sweep.stop();
    this.#fanOut.stop();
    await this.#log.close();
  }

  /** @throws {TidingsError} `auth/expired` (401). */
  assertNotExpired(expiresAt: number | undefined): void {
    // This way round, so that what is no number has expired, too.
    if (expiresAt === undefined || this.#options.clock.now() < expiresAt) return;
    throw createError('auth/expired', 'The authorization has expired; get a new one.');
  }

  /** What is pushed next leaves out events of these topics, or of any: who wants them reads the log. */
  #fallBehind(topics: readonly string[] | undefined): void {
    this.#fanOut.flush();
    for (const connection of this.#registry.values()) {
      if (topics === undefined || connection.request.wanted.matches(topics)) connection.fallBehind();
    }
  }

  #forget(connection: Connection): void {
    this.#registry.delete(connection);
    this.#presence.leave(connection.request.wanted.topics, connection.member.id);
    if (this.#registry.size > 0) return;
    this.#sweep.stop();
    this.#onEmpty?.();
  }

  /** For transports: a time to wait, up to half as long again, so that not all come back at once. */
  jitter(milliseconds: number): number {
    return Math.round(milliseconds * (1 + this.#options.random() / 2));
  }

  /** Milliseconds over which so many should come back. */
  #spread(connections: number): number {
    return connections > 1 ? (connections / RECONNECTS_PER_SECOND) * 1000 : 0;
  }
}

function difference(from: ReadonlySet<string>, without: ReadonlySet<string>): string[] {
  return [...from].filter((topic) => !without.has(topic));
}
