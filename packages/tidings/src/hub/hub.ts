import { formatCursor } from '../protocol/cursor.ts';
import { createError } from '../protocol/errors.ts';
import {
  type EventInput,
  type EventOptions,
  type NewEvent,
  assertBag,
  assertLength,
  createEvent,
} from '../protocol/event.ts';
import { TidingsError } from '../protocol/tidings-error.ts';
import { type Matcher, RUNS_PREFIX } from '../protocol/matcher.ts';
import { type Checks, aNumber, assertOptions } from '../protocol/options.ts';
import type { EventLog } from '../log/event-log.ts';
import { NamedConsumer } from './consume/consumer.ts';
import {
  type ConsumeHandler,
  type ConsumeOptions,
  type Consumer,
  assertConsumer,
} from './consume/options.ts';
import { createMatcherSet } from '../protocol/matcher-set.ts';
import { Core } from './core.ts';
import { items } from './delivery/items.ts';
import type { Item } from './delivery/items.ts';
import { TUNING, type Tuning } from './delivery/tuning.ts';
import { type DirectEvent, assertDirectEvent, encodeDirectEvent } from './direct-event.ts';
import { GATEWAY, createGateway, type Gateway } from './gateway.ts';
import { type HubOptions, resolveOptions } from './options.ts';
import {
  type DisconnectTarget,
  type RevokeOptions,
  type RevokeTarget,
  REVOKE_OPTIONS,
  assertDisconnectTarget,
  toRevocation,
} from './cluster/orders.ts';
import { type HubLimits, LIMITS } from './limits.ts';
import { HEALTH_OPTIONS, type HealthOptions, type HubHealth } from './health.ts';
import { type ClusterStats, type HubStats, STATS_OPTIONS, type StatsOptions, statsOf } from './hub-stats.ts';
import type { Presence } from './presence/presence.ts';
import type { ConnectionInfo } from './connection-info.ts';
import { RUNS_GATEWAY, type RunsGateway } from './runs-gateway.ts';
import { type SubscribeOptions, listen, subscribe } from './subscribe.ts';

/** The result of `publish`. */
export interface Published {
  /** The cursor right after the event: a connection that begins with it gets all later events. */
  readonly cursor: string;
  /** The event's number in the log, for `ifSeq`. In a new epoch, read the value again instead. */
  readonly seq: number;
  /**
   * True if nothing was appended because another event replaces this one, whose `cursor` you get: an earlier one of the
   * same `id`, or a newer one of the same `key` within the topic's interval.
   */
  readonly duplicate: boolean;
}

export interface DisconnectOptions {
  /** How long clients wait before they reconnect, in milliseconds. Default: the hub's `retry`, spread out. */
  readonly retry?: number;
}

export interface CloseOptions {
  /** How long peers have to take the bytes sent to them, in milliseconds. Default 5,000. */
  readonly within?: number;
}

const DAY = 86_400_000;

export const DISCONNECT_OPTIONS: Checks<DisconnectOptions> = { retry: aNumber({ min: 0, finite: true }) };
export const CLOSE_OPTIONS: Checks<CloseOptions> = { within: aNumber({ min: 0 }) };

/**
 * Your app's interface to the hub, which takes events and delivers them to connections. Made by `createHub`.
 *
 * This file is longer than others because each method is documented in one place, for your editor.
 */
export interface Hub {
  /**
   * Appends one event. Resolves when the log has it; connections get it by the end of the tick.
   *
   * @throws {TidingsError} `event/*` or `topic/*` for invalid input; `event/conflict` (409) if `ifSeq` or `ifAbsent`
   * doesn't hold, with the value's seq as `details.seq` (0: the key has none); `log/closed`; the error of the log's engine.
   */
  publish(topics: string | readonly string[], data: unknown, options?: EventOptions): Promise<Published>;
  /**
   * Appends several events side by side, all or none, and answers in their order. Of one key on a state topic with an
   * interval only the newest is appended. Where that interval is running, the event waits for its end and is appended
   * on its own: it is no longer part of the group, so a rejection may mean that only it failed, or only the others.
   * Give events an `id` and you can safely publish the whole group again. Throws like `publish`; `details.index` says
   * which of several events is invalid.
   */
  publishAll(events: readonly EventInput[]): Promise<readonly Published[]>;
  /** The cursor at the head: read it, then read your database, and a page that connects with it misses nothing. */
  cursor(): string;
  connections(): readonly ConnectionInfo[];
  /**
   * Sends an event to one connection alone. It isn't in the log and has no cursor, so it is lost if the connection
   * breaks. It comes after everything that was published before. For a peer that is behind, up to 64 KiB wait.
   *
   * @returns false if it can't be sent: no such connection is open here, or too much is waiting for its peer.
   * @throws {TidingsError} `event/invalid-type`, `event/invalid-data`, `event/invalid-option`.
   */
  send(connection: string, event: DirectEvent): boolean;
  /**
   * Reads events in this process, as a connection does: live, from a cursor, with gaps. There is no queue: while your
   * loop is busy only the cursor is kept. Leave the loop, abort the signal or close the hub to end it. It counts in
   * `stats()`, but for no limit, and not in `connections()` and `watchers()`.
   *
   * @throws {TidingsError} `topic/*`, `hub/invalid-option`, `hub/unavailable`. The loop throws `hub/unavailable` if it was cut
   * off, such as by a log that failed.
   */
  subscribe(topics: Matcher | readonly Matcher[], options?: SubscribeOptions): AsyncIterableIterator<Item>;
  /**
   * Reads events with a cursor that the log keeps under a name: at least once each, in order, over restarts. If several
   * hubs on a log have the consumer, one of them calls its handler at a time; another one goes on when it is gone.
   *
   * @throws {TidingsError} `hub/invalid-option`, `topic/*`, `hub/unavailable`. `onError` gets `consumer/gap` and `consumer/skipped`.
   */
  consume(
    name: string,
    topics: Matcher | readonly Matcher[],
    handler: ConsumeHandler,
    options?: ConsumeOptions,
  ): Consumer;
  /** How many connections would get a public event on this topic. */
  watchers(topic: string): number;
  /**
   * Ends connections at every hub on the log, with a goodbye. Resolves once the log has the order; each hub obeys when it
   * reads it, and also ends those that are being authorized then.
   *
   * @throws {TidingsError} `hub/invalid-option`, the error of the log's engine.
   */
  disconnect(where: DisconnectTarget, options?: DisconnectOptions): Promise<void>;
  /** Ends the connections of this hub that `where` picks, with a goodbye. @returns how many. */
  disconnect(where: (connection: ConnectionInfo) => boolean, options?: DisconnectOptions): number;
  /**
   * Ends the connections of a subject, of one token, or those whose authorization was issued before a time, at every hub on
   * the log, and refuses them (`auth/revoked`) from then on. A subscriber who signs in again has a newer authorization, which counts if
   * `authorize` says when it was issued (`issuedAt`); else the subject is refused until the revocation ends.
   *
   * @throws {TidingsError} `hub/invalid-option`, the error of the log's engine.
   */
  revoke(who: string | RevokeTarget, options?: RevokeOptions): Promise<void>;
  /**
   * Changes the limits while the hub runs. Those that you leave out have their defaults again, as in `createHub`. Connections
   * and presence beyond a lower limit stay; it counts for what comes next.
   *
   * @throws {TidingsError} `hub/invalid-option`.
   */
  setLimits(limits: Partial<HubLimits>): void;
  /** The members present on a topic that the hub's `presence` option matches. */
  presence(topic: string): Presence;
  /** This hub's counters; with `cluster`, those of all hubs on the log: as each said last, a few seconds ago. */
  stats(options: { readonly cluster: true }): ClusterStats;
  stats(options?: Omit<StatsOptions, 'cluster'>): HubStats;
  /**
   * Whether the hub can serve new connections, for a readiness check. Asks the log's engine, and resolves within a second
   * even if the engine is away.
   *
   * @throws {TidingsError} `hub/invalid-option`.
   */
  health(options?: HealthOptions): Promise<HubHealth>;
  /**
   * Drains: new connections get a 503 with Retry-After, open ones a goodbye with a spread-out time to come back. The
   * log closes once all are gone or `within` has passed; you can publish until then. Further calls wait for the
   * same end.
   */
  close(options?: CloseOptions): Promise<void>;
}

/** @throws {TidingsError} `hub/invalid-option`. */
export function startHub(options: HubOptions & { readonly log: EventLog }, tuning: Tuning = TUNING): Hub {
  return new AppHub(new Core(resolveOptions(options), tuning));
}

class AppHub implements Hub {
  readonly [GATEWAY]: Gateway;
  readonly [RUNS_GATEWAY]: RunsGateway;
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
    this[GATEWAY] = createGateway(core);
    this[RUNS_GATEWAY] = {
      log: core.options.log,
      get closing() {
        return core.drain.begun;
      },
      publish: (events) => this.#publish(() => this.#toNewEvents(events, RUNS_PREFIX)),
      append: async (event) => {
        assertLength(event.data, core.options.limits);
        await this.#publish(() => [event]);
      },
      listen: (topic, listener) => listen(core, topic, listener),
    };
  }

  async publish(
    topics: string | readonly string[],
    data: unknown,
    options: EventOptions = {},
  ): Promise<Published> {
    const [published] = await this.#publish(() => [this.#toNewEvent(topics, data, options)]);
    if (published === undefined) throw createError('log/closed', 'The log took the event but gave no seq.');
    return published;
  }

  publishAll(events: readonly EventInput[]): Promise<readonly Published[]> {
    return this.#publish(() => this.#toNewEvents(events));
  }

  /** Calls `toEvents` at once; its errors count as those of publishing. */
  async #publish(toEvents: () => readonly NewEvent[]): Promise<readonly Published[]> {
    const { conflation, counters, options, tally } = this.#core;
    const since = options.clock.monotonic();
    try {
      const appended = await conflation.append(toEvents());
      tally.publishTime.add(options.clock.monotonic() - since);
      const { epoch } = options.log.tail;
      return appended.map(({ seq, duplicate }) => {
        if (!duplicate) counters.published += 1;
        return { cursor: formatCursor({ epoch, seq }), seq, duplicate };
      });
    } catch (error) {
      tally.publishFailed(error);
      throw error;
    }
  }

  #toNewEvents(inputs: readonly EventInput[], mayUse?: typeof RUNS_PREFIX): readonly NewEvent[] {
    let index = 0;
    try {
      return inputs.map((event, i) => {
        index = i;
        assertBag(event, 'an event');
        return this.#toNewEvent(event.topics, event.data, event, mayUse);
      });
    } catch (error) {
      if (inputs.length === 1 || !(error instanceof TidingsError)) throw error;
      const { code, message, details, cause } = error;
      throw createError(code, message, { details: { ...details, index }, cause });
    }
  }

  #toNewEvent(
    topics: string | readonly string[],
    data: unknown,
    given: EventOptions,
    mayUse?: typeof RUNS_PREFIX,
  ): NewEvent {
    const { limits, log } = this.#core.options;
    const event = createEvent(topics, data, given, limits, mayUse);
    if (event.ttl === undefined && event.ifSeq === undefined) return event;
    const option = event.ttl !== undefined ? 'ttl' : event.ifSeq === 0 ? 'ifAbsent' : 'ifSeq';
    const [topic] = event.topics;
    const rule = log.rules.of(topic);
    if (rule?.state !== true) {
      const message = `\`${option}\` needs a topic that is a state: give "${topic}" a topic rule with \`state: true\`.`;
      throw createError('event/invalid-option', message, { details: { option, topic } });
    }
    if (event.ifSeq === undefined || (rule.interval ?? 0) === 0) return event;
    const message = `An event with a condition can't wait for the \`interval\` of "${topic}".`;
    throw createError('event/invalid-option', message, { details: { option, topic } });
  }

  cursor(): string {
    const { epoch, head } = this.#core.options.log.tail;
    return formatCursor({ epoch, seq: head });
  }

  connections(): readonly ConnectionInfo[] {
    return Array.from(this.#core.registry.values(), (connection) => connection.info);
  }

  watchers(topic: string): number {
    let watchers = 0;
    for (const { receivers, format } of this.#core.subscriptions.index.match([topic])) {
      if (format !== items) watchers += receivers;
    }
    return watchers;
  }

  send(id: string, event: DirectEvent): boolean {
    assertDirectEvent(event);
    const frame = encodeDirectEvent(event);
    return this.#core.registry.get(id)?.send(frame) ?? false;
  }

  subscribe(topics: Matcher | readonly Matcher[], options?: SubscribeOptions): AsyncIterableIterator<Item> {
    return subscribe(this.#core, topics, options);
  }

  consume(
    name: string,
    topics: Matcher | readonly Matcher[],
    handler: ConsumeHandler,
    options: ConsumeOptions = {},
  ): Consumer {
    assertConsumer(name, handler, options);
    createMatcherSet(Array.isArray(topics) ? (topics as readonly Matcher[]) : [topics as Matcher]);
    const { consumers, drain } = this.#core;
    if (drain.begun) throw createError('hub/unavailable', 'The hub is closed, or being closed.');
    const { log, clock, random, onError: report } = this.#core.options;
    const parts = {
      log,
      clock,
      random,
      report,
      cursor: () => this.cursor(),
      subscribe: (matchers: Matcher | readonly Matcher[], given: SubscribeOptions) =>
        this.subscribe(matchers, given),
    };
    const consumer = new NamedConsumer(name, topics, handler, options, parts);
    consumers.add(consumer);
    void consumer.ended.then(() => consumers.delete(consumer));
    return consumer;
  }

  disconnect(where: DisconnectTarget, options?: DisconnectOptions): Promise<void>;
  disconnect(where: (connection: ConnectionInfo) => boolean, options?: DisconnectOptions): number;
  disconnect(
    where: DisconnectTarget | ((connection: ConnectionInfo) => boolean),
    options: DisconnectOptions = {},
  ): number | Promise<void> {
    assertOptions(options, DISCONNECT_OPTIONS);
    if (typeof where !== 'function') {
      assertDisconnectTarget(where);
      return this.#core.cluster.disconnect(where, options.retry);
    }
    this.#core.endVisits(where);
    const picked = [...this.#core.registry.values()].filter((connection) => where(connection.info));
    this.#core.evict(picked, options.retry);
    return picked.length;
  }

  async revoke(who: string | RevokeTarget, options: RevokeOptions = {}): Promise<void> {
    assertOptions(options, REVOKE_OPTIONS);
    const revocation = toRevocation(who, this.#core.options.clock.now());
    await this.#core.cluster.revoke(revocation, options.for ?? DAY);
  }

  setLimits(limits: Partial<HubLimits>): void {
    assertOptions(limits, LIMITS, 'limits.');
    this.#core.setLimits(limits);
  }

  presence(topic: string): Presence {
    return this.#core.cluster.presence.of(topic);
  }

  stats(options: { readonly cluster: true }): ClusterStats;
  stats(options?: Omit<StatsOptions, 'cluster'>): HubStats;
  stats(options: StatsOptions = {}): HubStats | ClusterStats {
    assertOptions(options, STATS_OPTIONS);
    return options.cluster === true ? this.#core.cluster.stats() : statsOf(this.#core, options.lagSince);
  }

  async health(options: HealthOptions = {}): Promise<HubHealth> {
    assertOptions(options, HEALTH_OPTIONS);
    const { cluster, drain, health } = this.#core;
    const log = await health.check(options.within ?? 1000);
    const draining = drain.begun;
    const started = cluster.ledger.isReady;
    return { ready: started && !draining && log.up, draining, started, log };
  }

  close(options: CloseOptions = {}): Promise<void> {
    assertOptions(options, CLOSE_OPTIONS);
    return this.#core.drain.close(options.within ?? 5000);
  }
}
