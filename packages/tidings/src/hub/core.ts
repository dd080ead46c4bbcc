import { createError } from '../protocol/errors.ts';
import type { TidingsError } from '../protocol/tidings-error.ts';
import { Conflation } from './conflation.ts';
import { Connection, type Delivery } from './delivery/connection.ts';
import { FanOut } from './delivery/fan-out.ts';
import { frames } from './delivery/frames.ts';
import { items } from './delivery/items.ts';
import { Subscriptions } from './delivery/subscription.ts';
import type { Tuning } from './delivery/tuning.ts';
import { Turns } from './delivery/turns.ts';
import type { HubLimits, ResolvedHubOptions } from './options.ts';
import { PresenceTracker } from './presence/presence.ts';
import { Registry } from './registry.ts';
import type { ConnectRequest, ConnectionInfo, ConnectionTerms } from './request.ts';
import { Sweep } from './sweep.ts';
import { TextPool } from './text-pool.ts';

/** Reconnects per second over which `retry` spreads clients when many have to come back. */
const RECONNECTS_PER_SECOND = 1000;

/** A visitor being authorized, and the disconnects since that began. */
export interface PendingVisit {
  readonly disconnected: ((connection: ConnectionInfo) => boolean)[];
}

/** The assembled parts of a hub. Its two faces use it: `hub.ts` for apps, `gateway.ts` for transports. */
export class Core {
  readonly options: ResolvedHubOptions;
  readonly subscriptions: Subscriptions = new Subscriptions();
  readonly counters = { connected: 0, published: 0, delivered: 0, bytes: 0, flushes: 0, stalled: 0 };
  readonly registry: Registry;
  /** This process's own connections. They are trusted: no limit counts them, and they get no goodbye. */
  readonly locals: Set<Connection> = new Set();
  readonly conflation: Conflation;
  readonly fanOut: FanOut;
  readonly presence: PresenceTracker;
  readonly visits: Set<PendingVisit> = new Set();
  readonly #delivery: Delivery;
  readonly #sweep: Sweep;
  readonly #userAgents = new TextPool();
  readonly #closedListeners: (() => void)[] = [];
  #closed: Promise<void> | undefined;
  #onEmpty: (() => void) | undefined;

  constructor(options: ResolvedHubOptions, tuning: Tuning) {
    const { log, clock, onError: report } = options;
    this.options = options;
    const warnOfProxy = (address: string): void => report(proxySuspected(address, options.limits));
    const turns = new Turns(clock, tuning.catchUp);
    this.registry = new Registry(options.limits, options.sparesPrivateAddresses ? warnOfProxy : undefined);
    this.conflation = new Conflation(log, clock);
    this.fanOut = new FanOut({
      tail: log.tail,
      subscriptions: this.subscriptions,
      clock,
      counters: this.counters,
      window: options.flushWindow,
      turns,
      tuning,
    });
    this.#delivery = {
      log,
      clock,
      subscriptions: this.subscriptions,
      counters: this.counters,
      heartbeat: options.heartbeat,
      retry: options.retry,
      fanOut: this.fanOut,
      turns,
      tuning,
      report,
      forget: (connection) => this.#forget(connection),
    };
    log.tail.onMiss((topics) => this.#fallBehind(topics));
    log.tail.onRewind((end) => this.#rewind(end));
    this.presence = new PresenceTracker(options.presence, log, clock, report);
    this.#sweep = new Sweep({
      delivery: this.#delivery,
      registry: this.registry,
      stallTimeout: options.stallTimeout,
      maxLifetime: options.maxLifetime,
      expiryNotice: options.expiryNotice,
      retryAfterEnd: () => options.retry * (0.5 + options.random()),
      counters: this.counters,
    });
  }

  /** Whether `close` has been called: no new connections. */
  get closing(): boolean {
    return this.#closed !== undefined;
  }

  /** Calls `listener` once all connections of a hub that closes are gone. */
  onClosed(listener: () => void): void {
    this.#closedListeners.push(listener);
  }

  /** Puts a connection on the books. */
  add(request: ConnectRequest): Connection {
    const userAgent = this.#userAgents.use(request.userAgent);
    const connection = new Connection(crypto.randomUUID(), { ...request, userAgent }, this.#delivery, frames);
    this.registry.add(connection);
    this.presence.join(request.wanted.topics, connection.member);
    this.counters.connected += 1;
    this.#sweep.start();
    return connection;
  }

  /** @throws {TidingsError} `hub/unavailable`. */
  addLocal(request: ConnectRequest): Connection {
    if (this.closing) throw createError('hub/unavailable', 'The hub is closed, or being closed.');
    const connection = new Connection(crypto.randomUUID(), request, this.#delivery, items);
    this.locals.add(connection);
    return connection;
  }

  /** All connections, of peers and of this process. */
  *all(): Generator<Connection> {
    yield* this.registry.values();
    yield* this.locals;
  }

  /** Changes a connection's topics. @returns its cursor. */
  change(connection: Connection, terms: ConnectionTerms): string {
    const { wanted } = connection.request;
    const cursor = connection.change(terms);
    this.presence.join(difference(terms.wanted.topics, wanted.topics), connection.member);
    this.presence.leave(difference(wanted.topics, terms.wanted.topics), connection.member.id);
    return cursor;
  }

  #forget(connection: Connection): void {
    if (!this.locals.delete(connection)) {
      this.registry.delete(connection);
      this.#userAgents.release(connection.request.userAgent);
      this.presence.leave(connection.request.wanted.topics, connection.member.id);
    }
    if (this.registry.size === 0) this.#sweep.stop();
    if (this.#isEmpty) this.#onEmpty?.();
  }

  get #isEmpty(): boolean {
    return this.registry.size + this.locals.size === 0;
  }

  /** The next push leaves out events of these topics, or of any: connections that want them read the log. */
  #fallBehind(topics: readonly string[] | undefined): void {
    for (const connection of this.all()) {
      if (topics === undefined || connection.request.wanted.matches(topics)) connection.fallBehind();
    }
  }

  /** The log has lost its events after `end`. */
  #rewind(end: number): void {
    this.fanOut.pushAll();
    for (const connection of this.registry.values()) connection.rewind(end);
  }

  /** Milliseconds over which this many connections should come back. */
  spread(connections: number): number {
    return connections > 1 ? (connections / RECONNECTS_PER_SECOND) * 1000 : 0;
  }

  /** Says goodbye to all, and closes the log once they are gone or `within` milliseconds have passed. */
  close(within: number): Promise<void> {
    if (this.#closed !== undefined) return this.#closed;
    // Closing before the first goodbye: a listener for the end of a connection may call this, too, or connect.
    this.#closed = this.#drain(within);
    this.#sayGoodbye();
    return this.#closed;
  }

  #sayGoodbye(): void {
    const { random, retry } = this.options;
    this.fanOut.flush();
    const spread = Math.max(1000, this.spread(this.registry.size));
    for (const connection of [...this.all()]) connection.end('drain', retry + random() * spread);
    if (this.#isEmpty) this.#onEmpty?.();
  }

  async #drain(within: number): Promise<void> {
    const gone = new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
    const cancel = this.options.clock.setTimer(() => {
      for (const connection of [...this.all()]) connection.destroy();
    }, within);
    await gone;
    cancel();
    for (const listener of this.#closedListeners) listener();
    await this.conflation.flush();
    this.presence.stop();
    this.#sweep.stop();
    this.fanOut.stop();
    await this.options.log.close();
  }

  /** @throws {TidingsError} `hub/unavailable` (503), `limit/connections` (429). */
  assertRoom(subject: string | undefined, remote: string | undefined): void {
    if (this.closing) {
      const details = { retryAfter: Math.max(1, Math.ceil(this.spread(this.registry.size) / 1000)) };
      throw createError('hub/unavailable', 'This server is going down.', { details });
    }
    this.registry.assertRoom(subject, remote);
  }

  /** @throws {TidingsError} `auth/expired` (401). */
  assertNotExpired(expiresAt: number | undefined): void {
    // In this order, NaN counts as expired too.
    if (expiresAt === undefined || this.options.clock.now() < expiresAt) return;
    throw createError('auth/expired', 'The authorization has expired; get a new one.');
  }
}

function proxySuspected(address: string, { connectionsPerAddress }: HubLimits): TidingsError {
  const message =
    `More than ${connectionsPerAddress} connections come from ${address}, which looks like a proxy of yours. They are let ` +
    'in, but nobody is limited by address. Say whose address counts: in Express `app.set("trust proxy", 1)`, elsewhere ' +
    'the option `address` of `sse`. Or set `limits.connectionsPerAddress` yourself.';
  return createError('limit/connections', message, { details: { address, limit: connectionsPerAddress } });
}

function difference(from: ReadonlySet<string>, without: ReadonlySet<string>): string[] {
  return [...from].filter((topic) => !without.has(topic));
}
