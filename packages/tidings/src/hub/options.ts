import { type Clock, systemClock } from './clock.ts';
import type { Compression } from './compression.ts';
import type { EventLog } from '../log/event-log.ts';
import { RETENTION, type Retention } from '../log/retention.ts';
import {
  type Checks,
  aFunction,
  aNumber,
  aString,
  anObjectWith,
  assertOptions,
  listOf,
  options,
} from '../protocol/options.ts';
import { type HubLimits, LIMITS, resolveLimits } from './limits.ts';
import { PRESENCE_RULE, type PresenceRule } from './presence/presence.ts';

export interface ClusterOptions {
  /** The node's name in `stats({ cluster: true })`, such as the machine's. */
  readonly name?: string;
  /**
   * Milliseconds after which a node that says nothing counts as gone, and its members with it. It says something three
   * times as often. Default 5,000.
   */
  readonly lease?: number;
}

/** Durations in milliseconds. */
export interface HubOptions {
  /** Where events are kept. Default: in this process' memory. */
  readonly log?: EventLog;
  /** How long a stream may stay quiet before the hub sends a heartbeat (the current cursor). Default 15,000. */
  readonly heartbeat?: number;
  /** How long clients wait before they reconnect. Default 2,000. */
  readonly retry?: number;
  /**
   * How long events are gathered before they are pushed. Default 0: until the end of the tick, except the first event after a
   * pause.
   */
  readonly flushWindow?: number;
  /**
   * How long a peer may leave pending bytes unread before the hub drops it; it comes back with its cursor. One write
   * is an event, or up to 256 KiB of several. Default 30,000.
   */
  readonly stallTimeout?: number;
  /**
   * The maximum age of a connection. At 90 to 100 % of it the hub ends the stream with a goodbye; the client
   * reconnects, to newer servers and with fresh authorization. Default one hour; `Infinity`: no maximum.
   */
  readonly maxLifetime?: number;
  /** How long before an authorization expires its client gets a notice to renew it. Default 30,000. */
  readonly expiryNotice?: number;
  /** `gzip()` of `tidings/gzip` compresses each flush once for all clients that accept it. Default: none. */
  readonly compression?: Compression | undefined;
  readonly limits?: Partial<HubLimits>;
  /**
   * How much of what it missed one connection gets: the newest matching events within these bounds. Older ones are a
   * `trimmed` gap. Default: 10,000 events, 8 MiB, any age. State topics make up for it with their snapshot.
   */
  readonly replay?: Retention;
  /**
   * The most of this process's time that connections which are behind may take together to catch up, above 0 and up to
   * 1. They take turns. Default 0.5.
   */
  readonly catchUpShare?: number;
  /** Topics with presence, which is published on `presence/` and the topic. Default: none. */
  readonly presence?: readonly PresenceRule[];
  /** For hubs that share a log. */
  readonly cluster?: ClusterOptions;
  /** Gets errors that no caller waits for, of a log or an `onConnect` hook. Default: logs them to the console. */
  readonly onError?: (error: unknown) => void;
  readonly clock?: Clock;
  /** 0 to below 1, for jitter. Default `Math.random`. */
  readonly random?: () => number;
}

export type ResolvedHubOptions = Required<Omit<HubOptions, 'limits' | 'compression' | 'replay' | 'cluster'>> &
  Pick<HubOptions, 'compression'> & {
    readonly limits: HubLimits;
    readonly replay: Required<Retention>;
    readonly cluster: { readonly name: string | undefined; readonly lease: number };
    /** Whether the limit per address is left to the default, which is not for private addresses. */
    readonly sparesPrivateAddresses: boolean;
  };

const DEFAULT_REPLAY: Required<Retention> = { events: 10_000, bytes: 8_388_608, age: Infinity };

const duration = aNumber({ min: 0, finite: true });

export const CLUSTER_OPTIONS: Checks<ClusterOptions> = {
  name: aString,
  lease: aNumber({ min: 300, finite: true }),
};

export const HUB_OPTIONS: Checks<HubOptions> = {
  log: anObjectWith('an event log, such as `memoryLog()`', 'tail', 'append', 'read'),
  // Not Infinity: neither JSON nor the stream can represent it.
  heartbeat: aNumber({ min: 1, finite: true }),
  retry: duration,
  flushWindow: duration,
  stallTimeout: aNumber({ min: 1 }),
  maxLifetime: aNumber({ min: 1 }),
  expiryNotice: duration,
  compression: anObjectWith('what `gzip()` of `tidings/gzip` gives', 'encoding', 'begin'),
  limits: options(LIMITS),
  replay: options(RETENTION),
  catchUpShare: { expected: 'a number above 0 and up to 1', accepts: isShare },
  presence: listOf(PRESENCE_RULE),
  cluster: options(CLUSTER_OPTIONS),
  onError: aFunction,
  clock: anObjectWith('a clock', 'now', 'monotonic', 'setTimer', 'defer'),
  random: aFunction,
};

/** @throws {TidingsError} `hub/invalid-option` naming the option. */
export function resolveOptions(given: HubOptions & { readonly log: EventLog }): ResolvedHubOptions {
  assertOptions(given, HUB_OPTIONS);
  return {
    log: given.log,
    heartbeat: given.heartbeat ?? 15_000,
    retry: given.retry ?? 2000,
    flushWindow: given.flushWindow ?? 0,
    stallTimeout: given.stallTimeout ?? 30_000,
    maxLifetime: given.maxLifetime ?? 3_600_000,
    expiryNotice: given.expiryNotice ?? 30_000,
    compression: given.compression,
    limits: resolveLimits(given.limits),
    replay: resolveReplay(given.replay),
    catchUpShare: given.catchUpShare ?? 0.5,
    sparesPrivateAddresses: given.limits?.connectionsPerAddress === undefined,
    presence: given.presence ?? [],
    cluster: { name: given.cluster?.name, lease: given.cluster?.lease ?? 5000 },
    onError: given.onError ?? ((error: unknown) => console.error('tidings:', error)),
    clock: given.clock ?? systemClock,
    random: given.random ?? Math.random,
  };
}

function resolveReplay({ events, bytes, age }: Retention = {}): Required<Retention> {
  return {
    events: events ?? DEFAULT_REPLAY.events,
    bytes: bytes ?? DEFAULT_REPLAY.bytes,
    age: age ?? DEFAULT_REPLAY.age,
  };
}

function isShare(value: unknown): boolean {
  return typeof value === 'number' && value > 0 && value <= 1;
}
