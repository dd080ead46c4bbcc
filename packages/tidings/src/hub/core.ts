import type { LogEntry } from '../log/entry.ts';
import { createError } from '../protocol/errors.ts';
import { Conflation } from './conflation.ts';
import { Connection, type Delivery } from './delivery/connection.ts';
import { FanOut } from './delivery/fan-out.ts';
import { frames } from './delivery/frames.ts';
import { items } from './delivery/items.ts';
import { labelledFrames } from './delivery/labelled-frames.ts';
import { Outage } from './delivery/outage.ts';
import { Subscriptions } from './delivery/subscription.ts';
import type { Tuning } from './delivery/tuning.ts';
import { Turns } from './delivery/turns.ts';
import { Drain, reconnectSpread } from './drain.ts';
import { Goodbyes } from './goodbyes.ts';
import { inSlices } from './in-slices.ts';
import { type HubLimits, proxySuspected, resolveLimits } from './limits.ts';
import type { ResolvedHubOptions } from './options.ts';
import { Cluster } from './cluster/cluster.ts';
import { LostEnds } from './cluster/lost-ends.ts';
import { Registry } from './registry.ts';
import type { ConnectRequest, ConnectionTerms } from './connect-request.ts';
import type { ConnectionInfo } from './connection-info.ts';
import { HealthCheck } from './health.ts';
import { Sweep } from './sweep.ts';
import { Tally } from './tally.ts';
import { TextPool } from './text-pool.ts';

/** Connections that go on in a turn after the log has lost its end. */
const REWOUND_PER_TURN = 200;
const NO_BOUNDS = { events: Infinity, bytes: Infinity, age: Infinity };

/** A visitor being authorized, and the disconnects since that began. */
export interface PendingVisit {
  readonly disconnected: ((connection: ConnectionInfo) => boolean)[];
}

/** The assembled parts of a hub. Its two faces use it: `hub.ts` for apps, `gateway.ts` for transports. */
export class Core {
  readonly options: ResolvedHubOptions;
  readonly subscriptions: Subscriptions = new Subscriptions();
  readonly counters = { connected: 0, published: 0, delivered: 0, bytes: 0, flushes: 0, stalled: 0 };
  readonly tally: Tally = new Tally();
  readonly health: HealthCheck;
  readonly registry: Registry;
  /** This process's own connections. They are trusted: no limit counts them or holds them up, and they get no goodbye. */
  readonly locals: Set<Connection> = new Set();
  readonly conflation: Conflation;
  readonly goodbyes: Goodbyes;
  readonly fanOut: FanOut;
  readonly cluster: Cluster;
  readonly lostEnds: LostEnds;
  readonly visits: Set<PendingVisit> = new Set();
  readonly consumers: Set<{ stop(): Promise<void> }> = new Set();
  readonly drain: Drain = new Drain(this);
  readonly #delivery: Delivery;
  readonly #localDelivery: Delivery;
  readonly #sweep: Sweep;
  /** Connections that read and go, which don't count in presence. */
  readonly #passing = new Set<Connection>();
  readonly #userAgents = new TextPool();

  constructor(options: ResolvedHubOptions, tuning: Tuning) {
    const { log, clock, onError: report } = options;
    this.options = options;
    const warnOfProxy = (address: string): void => report(proxySuspected(address, options.limits));
    const turns = new Turns(clock, tuning.catchUp, options.catchUpShare);
    this.registry = new Registry(options.limits, warnOfProxy);
    this.registry.sparesPrivate = options.sparesPrivateAddresses;
    this.conflation = new Conflation(log, clock);
    this.goodbyes = new Goodbyes(clock);
    this.fanOut = new FanOut({
      tail: log.tail,
      subscriptions: this.subscriptions,
      clock,
      counters: this.counters,
      deliveryTime: this.tally.deliveryTime,
      window: options.flushWindow,
      tuning,
    });
    this.lostEnds = new LostEnds({
      log,
      clock,
      subscriptions: this.subscriptions,
      append: (event) => log.append([event]),
      report,
    });
    this.#delivery = {
      log,
      clock,
      subscriptions: this.subscriptions,
      counters: this.counters,
      tally: this.tally,
      heartbeat: options.heartbeat,
      retry: options.retry,
      fanOut: this.fanOut,
      turns,
      outage: new Outage(clock, turns, report),
      replay: options.replay,
      tuning,
      lostEnds: this.lostEnds,
      report,
      forget: (connection) => this.#forget(connection),
    };
    const ownTurns = new Turns(clock, tuning.catchUp);
    this.#localDelivery = { ...this.#delivery, turns: ownTurns, replay: NO_BOUNDS, tally: new Tally() };
    this.health = new HealthCheck(log, clock);
    log.tail.onMiss((topics) => this.#fallBehind(topics));
    log.tail.onRewind((end, lost) => this.#rewind(end, lost));
    this.cluster = new Cluster(this, (where) => this.endVisits(where));
    this.#sweep = new Sweep({
      delivery: this.#delivery,
      registry: this.registry,
      stallTimeout: options.stallTimeout,
      maxLifetime: options.maxLifetime,
      expiryNotice: options.expiryNotice,
      retryAfterEnd: () => options.retry * (0.5 + options.random()),
      counters: this.counters,
    });
    log.tail.onPush((entries) => {
      if (entries.some(({ expiresAt }) => expiresAt !== undefined)) this.#sweep.start();
    });
    this.#sweep.startIfNeeded();
    this.cluster.start();
  }

  /** Everybody reads the limits from the same object, at each use. Connections that are there stay, even beyond them. */
  setLimits(limits: Partial<HubLimits>): void {
    const wasCounted = this.options.limits.connectionsPerSubject < Infinity;
    Object.assign(this.options.limits, resolveLimits(limits));
    this.registry.sparesPrivate = limits.connectionsPerAddress === undefined;
    if (wasCounted === this.options.limits.connectionsPerSubject < Infinity) return;
    // Other nodes know how many a subject had when there was a limit, or nothing.
    for (const subject of this.registry.subjects)
      this.cluster.countSubject(subject, this.registry.countOf(subject));
  }

  /** How many connections there are, of peers and of this process. */
  get size(): number {
    return this.registry.size + this.locals.size;
  }

  /** Puts a connection on the books. */
  add(request: ConnectRequest): Connection {
    const userAgent = this.#userAgents.use(request.userAgent);
    const format = request.format ?? (request.labels === true ? labelledFrames : frames);
    const connection = new Connection(crypto.randomUUID(), request, this.#delivery, format, userAgent);
    this.registry.add(connection);
    this.#countSubject(connection);
    if (request.isPassing === true) this.#passing.add(connection);
    else this.cluster.presence.join(request.wanted.topics, connection.member);
    this.counters.connected += 1;
    this.#sweep.start();
    return connection;
  }

  /** @throws {TidingsError} `hub/unavailable`. */
  addLocal(request: ConnectRequest): Connection {
    if (this.drain.begun) throw createError('hub/unavailable', 'The hub is closed, or being closed.');
    const connection = new Connection(crypto.randomUUID(), request, this.#localDelivery, items);
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
    return connection.change(terms, () => {
      if (this.#passing.has(connection)) return;
      this.cluster.presence.join(difference(terms.wanted.topics, wanted.topics), connection.member);
      this.cluster.presence.leave(difference(wanted.topics, terms.wanted.topics), connection.member.id);
    });
  }

  #forget(connection: Connection): void {
    if (!this.locals.delete(connection)) {
      this.registry.delete(connection);
      this.#countSubject(connection);
      this.#userAgents.release(connection.request.userAgent);
      if (!this.#passing.delete(connection))
        this.cluster.presence.leave(connection.request.wanted.topics, connection.member.id);
    }
    if (!this.#sweep.isNeeded) this.#sweep.stop();
    this.drain.connectionGone();
  }

  /** The next push leaves out events of these topics, or of any: connections that want them read the log. */
  #fallBehind(topics: readonly string[] | undefined): void {
    for (const connection of this.all()) {
      if (topics === undefined || connection.request.wanted.matches(topics)) connection.fallBehind();
    }
  }

  /** The log has lost its events after `end`. */
  #rewind(end: number, lost: readonly LogEntry[]): void {
    this.fanOut.pushAll();
    const concerned = this.lostEnds.note(end, lost);
    const goOn = [...this.all()].map((connection) => connection.rewind(end, concerned));
    const { clock } = this.options;
    const slices = { work: (next: () => void) => next(), most: REWOUND_PER_TURN };
    // Not before the tail has gone back.
    clock.defer(() => inSlices(clock, goOn.values(), slices));
  }

  /** Stops all timers: nobody is connected any more. */
  stop(): void {
    this.cluster.stop();
    this.lostEnds.stop();
    this.#sweep.close();
    this.fanOut.stop();
  }

  /** Gives up what other hubs on the log know of this one. */
  async leave(): Promise<void> {
    await this.cluster.leave();
  }

  /** Stops what reads the log on the app's behalf, while there still is a log to keep its cursor. */
  async stopConsumers(): Promise<void> {
    await Promise.all([...this.consumers].map((consumer) => consumer.stop()));
  }

  /** Ends connections with a goodbye. `retry` in milliseconds; default: the hub's, spread out. */
  evict(picked: readonly Connection[], retry: number | undefined): void {
    const { random } = this.options;
    const spread = reconnectSpread(picked.length);
    const goodbyes = picked.map((connection) =>
      connection.beginEnd('evicted', retry ?? this.options.retry + random() * spread),
    );
    this.goodbyes.say(goodbyes);
  }

  /** Refuses those among whom the app is authorizing just now. */
  endVisits(where: (connection: ConnectionInfo) => boolean): void {
    for (const visit of this.visits) visit.disconnected.push(where);
  }

  #countSubject({ request: { subject } }: Connection): void {
    if (subject !== undefined) this.cluster.countSubject(subject, this.registry.countOf(subject));
  }

  /** @throws {TidingsError} `hub/unavailable` (503), `limit/connections` (429). */
  assertRoom(subject: string | undefined, remote: string | undefined): void {
    if (this.drain.begun) {
      const details = { retryAfter: Math.max(1, Math.ceil(reconnectSpread(this.registry.size) / 1000)) };
      throw createError('hub/unavailable', 'This server is going down.', { details });
    }
    const elsewhere = subject === undefined ? 0 : this.cluster.connectionsElsewhere(subject);
    this.registry.assertRoom(subject, remote, elsewhere);
  }

  /** @throws {TidingsError} `auth/expired` (401). */
  assertNotExpired(expiresAt: number | undefined): void {
    // In this order, NaN counts as expired too.
    if (expiresAt === undefined || this.options.clock.now() < expiresAt) return;
    throw createError('auth/expired', 'The authorization has expired; get a new one.');
  }
}

function difference(from: ReadonlySet<string>, without: ReadonlySet<string>): string[] {
  return [...from].filter((topic) => !without.has(topic));
}
