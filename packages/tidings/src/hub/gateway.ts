import type { Changed, GoodbyeReason } from '../protocol/control.ts';
import { createError } from '../protocol/errors.ts';
import type { Matcher } from '../protocol/matcher.ts';
import { type MatcherSet, createMatcherSet } from '../protocol/matcher-set.ts';
import { invalidOption } from '../protocol/options.ts';
import type { Compression } from './compression.ts';
import type { Core, PendingVisit } from './core.ts';
import type { Beginning, Connection } from './delivery/connection.ts';
import type { Sink } from './delivery/sink.ts';
import { findTagged } from './find.ts';
import type { ConnectRequest, ConnectionTerms } from './connect-request.ts';
import { assertMatchers } from './limits.ts';
import type { ConnectionEnd, ConnectionInfo } from './connection-info.ts';

/** A connection that a transport admitted: it opens and ends it, and reports what its peer does. */
export interface OwnConnection {
  readonly info: ConnectionInfo;
  /**
   * Starts the stream: welcome, then `greeting` (frames without cursor, for this connection only), then events. Where
   * it begins is settled before this returns, unless the log has to be asked for losses.
   *
   * Call it in the same tick in which you make the greeting: an event published in between would be in neither.
   */
  open(sink: Sink, greeting: string): void;
  /**
   * Settles where the stream begins, for a response whose head says so: call it before `open`. The peer may leave meanwhile.
   * Rejects if the log can't be read; the connection is then yours to `destroy`.
   */
  locate(): Promise<Beginning>;
  /** Call it when the peer can take more after `Sink.write` returned false. Extra calls do no harm. */
  drained(): void;
  /** Call it at least once when the peer is gone, for any reason. */
  closed(): void;
  /** Ends the stream at once, without a goodbye. */
  destroy(): void;
  /** Ends the stream with a goodbye. `retry`: milliseconds after which the client is to come back. */
  end(reason: GoodbyeReason, retry: number): void;
  /** Calls `listener` once when the connection is over; at once if it is. */
  onClose(listener: (end: ConnectionEnd) => void): void;
}

/** Identifies the connection that a change request is about. */
export interface Claim {
  readonly connection: string;
  readonly secret: string;
  /** As in the `ConnectRequest`. */
  readonly handler?: object | undefined;
}

/** A connection's present topics and grants. */
export type CurrentTerms = Pick<ConnectRequest, 'wanted' | 'granted' | 'subject' | 'expiresAt'>;

/** Decides on a connection's new topics and grants. */
export type Decide = (current: CurrentTerms) => ConnectionTerms | Promise<ConnectionTerms>;

/** The visitor, as far as the transport knows it before the app authorizes it. */
export type Visitor = Partial<
  Pick<ConnectRequest, 'subject' | 'remote' | 'expiresAt' | 'issuedAt' | 'tokenId'>
>;

/** A visitor whom the app is authorizing. */
export interface Visit {
  /** Call it when the authorization is over, even if it failed. */
  over(): void;
}

/** The methods for transports. An app calls the hub itself. */
export interface Gateway {
  /** The version of this object's shape, which `gatewayOf` compares. */
  readonly version: number;
  /** The content coding that streams may use. */
  readonly compression: Compression | undefined;
  /** How many connections one session of HTTP/2 may carry: `limits.connectionsPerSession`. */
  readonly connectionsPerSession: number;
  /** Whether the hub is closing: it admits no connection, and sockets should not wait for another request. */
  readonly closing: boolean;
  /**
   * The set of matchers that a subscriber asks for.
   *
   * @throws {TidingsError} `topic/*`, `limit/topics` (400).
   */
  wanted(matchers: readonly Matcher[]): MatcherSet;
  /**
   * Whether this visitor could be admitted now.
   *
   * @throws {TidingsError} `hub/unavailable` (503), `limit/connections` (429), `auth/expired`, `auth/revoked` (401).
   */
  assertRoom(visitor: Visitor): void;
  /**
   * Whether an authorization still counts, for requests that open no connection, such as those of publishers. Wait for
   * `ready` first.
   *
   * @throws {TidingsError} `auth/expired`, `auth/revoked` (401).
   */
  assertAuthorized(visitor: Visitor): void;
  /**
   * Resolves once the hub knows what was revoked: it may still be reading the log. Wait for it before `admit`.
   *
   * @throws {TidingsError} `hub/unavailable` (503) if that takes seconds.
   */
  ready(): Promise<void>;
  /**
   * Call it before the app authorizes a visitor. A `hub.disconnect` that picks the visitor before `admit` applies to it
   * too, since it may have been authorized just before.
   */
  visit(): Visit;
  /**
   * Admits a connection, which then waits for `open`. Throws like `assertRoom`, and `hub/unavailable` (503) if the visitor
   * has been disconnected since the visit began.
   */
  admit(request: ConnectRequest, visit?: Visit): OwnConnection;
  /**
   * Changes a connection's topics. `decide` gets the present ones and returns the new ones; it is called again if
   * another change came before it answered. Its errors are passed on.
   *
   * @throws {TidingsError} `connection/unknown` (404), `auth/expired`, `auth/revoked` (401).
   */
  change(claim: Claim, decide: Decide): Promise<Changed>;
  /**
   * The cursor right after the earliest event that the log still has with this tag; undefined if there is none. For protocols
   * in which publishers name their events.
   */
  find(tag: string, value: string): Promise<string | undefined>;
  /** Calls `listener` once the hub is being closed and all its connections are gone. */
  onGone(listener: () => void): void;
  /** The wait, in milliseconds, lengthened at random by up to half: clients must not all come back at once. */
  jitter(milliseconds: number): number;
  /** Counts an attempt to connect that is refused with this error, for `hub.stats()`. */
  readonly refused: (error: unknown) => void;
  /** Takes a failure that nobody waits for, to the hub's `onError`. */
  readonly report: (error: unknown) => void;
}

/** Milliseconds that a visitor waits for a hub that starts. */
const READY_WITHIN = 5000;

/** Raise it with every change of `Gateway`, `OwnConnection` or `ConnectRequest` that affects transports. */
const VERSION = 5;

/** Under `Symbol.for`: a transport finds it even if another copy of the package made the hub. */
export const GATEWAY: unique symbol = Symbol.for('tidings.gateway') as never;

/**
 * The transports' face of a hub.
 *
 * @throws {TidingsError} `hub/invalid-option` if it isn't a hub, or a hub of another version of the package.
 */
export function gatewayOf(hub: object): Gateway {
  const gateway = (hub as { [GATEWAY]?: Gateway } | undefined | null)?.[GATEWAY];
  if (gateway === undefined) throw invalidOption('hub', 'The first argument is a hub of `createHub`.');
  if (gateway.version === VERSION) return gateway;
  throw invalidOption(
    'hub',
    'The hub was made by another version of `tidings` than this transport is of. ' +
      'Two versions are installed (`npm ls tidings` shows where): use one.',
  );
}

export function createGateway(core: Core): Gateway {
  const { limits, compression, random } = core.options;
  /** By connection, the end of the last change that waits for its turn. */
  const lastChanges = new WeakMap<Connection, Promise<unknown>>();

  function assertRoom(visitor: Visitor): void {
    core.assertRoom(visitor.subject, visitor.remote);
    assertAuthorized(visitor);
  }

  function assertAuthorized(visitor: Visitor): void {
    core.assertNotExpired(visitor.expiresAt);
    core.cluster.orders.assertNotRevoked(visitor);
  }

  async function ready(): Promise<void> {
    const { ledger } = core.cluster;
    if (ledger.isReady) return;
    let cancel = (): void => {};
    const late = new Promise<void>((resolve) => {
      cancel = core.options.clock.setTimer(resolve, READY_WITHIN);
    });
    await Promise.race([ledger.ready, late]);
    cancel();
    if (ledger.isReady) return;
    throw createError('hub/unavailable', 'This server has just started and is still reading its log.', {
      details: { retryAfter: 1 },
    });
  }

  function visit(): Visit {
    const disconnected: ((connection: ConnectionInfo) => boolean)[] = [];
    const pending = { disconnected, over: (): void => void core.visits.delete(pending) };
    core.visits.add(pending);
    return pending;
  }

  function admit(request: ConnectRequest, visitor?: Visit): OwnConnection {
    assertRoom(request);
    const connection = core.add(request);
    const { disconnected = [] } = (visitor ?? {}) as Partial<PendingVisit>;
    if (!disconnected.some((where) => where(connection.info))) return connection;
    connection.destroy('evicted');
    throw createError('hub/unavailable', 'The connection was ended before it began.', {
      details: { retryAfter: 1 },
    });
  }

  async function change(...[claim, decide]: Parameters<Gateway['change']>): Promise<Changed> {
    const connection = find(claim);
    await ready();
    const changed = await tryToChange(connection, decide);
    return changed ?? changeInTurn(connection, decide);
  }

  /** @returns undefined if another change came while `decide` was asked: its answer would undo that one. */
  async function tryToChange(connection: Connection, decide: Decide): Promise<Changed | undefined> {
    const before = connection.request;
    const terms = await decide(before);
    if (connection.phase === 'closed' || connection.phase === 'ending') {
      throw createError('connection/unknown', 'The connection ended meanwhile; connect anew.');
    }
    if (connection.request.wanted !== before.wanted) return undefined;
    assertAuthorized({ ...terms, subject: before.subject });
    return { cursor: core.change(connection, terms), topics: terms.wanted.matchers };
  }

  /**
   * Changes that have to be decided again take turns: if each was decided anew after each other one, a thousand at once
   * would ask the app half a million times.
   */
  async function changeInTurn(connection: Connection, decide: Decide): Promise<Changed> {
    const changing = (lastChanges.get(connection) ?? Promise.resolve()).then(async () => {
      for (;;) {
        const changed = await tryToChange(connection, decide);
        if (changed !== undefined) return changed;
      }
    });
    lastChanges.set(
      connection,
      changing.catch(() => {
        // Whoever asked for it has the error; the next one's turn comes all the same.
      }),
    );
    return changing;
  }

  function find({ connection: id, secret, handler }: Claim): Connection {
    const connection = core.registry.get(id);
    if (connection?.secret === secret && connection.request.handler === handler) return connection;
    throw createError('connection/unknown', 'No such connection is open here; connect anew.');
  }

  return {
    version: VERSION,
    compression,
    get connectionsPerSession() {
      return limits.connectionsPerSession;
    },
    refused: (error) => core.tally.refused(error),
    report: core.options.onError,
    get closing() {
      return core.drain.begun;
    },
    wanted(matchers) {
      assertMatchers(matchers, limits);
      const wanted = createMatcherSet(matchers, limits.topicLength);
      core.cluster.rules.assertPlaces(wanted.topics, limits.presenceTopicsPerConnection);
      return wanted;
    },
    assertRoom,
    assertAuthorized,
    ready,
    visit,
    admit,
    change,
    find: (tag, value) => findTagged(core.options.log, tag, value),
    onGone: (listener) => core.drain.onGone(listener),
    jitter: (milliseconds) => Math.round(milliseconds * (1 + random() / 2)),
  };
}
