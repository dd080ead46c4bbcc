import { type EventLimits, DEFAULT_EVENT_LIMITS } from '../protocol/event.ts';
import { type Clock, systemClock } from './clock.ts';
import type { Compression } from './compression.ts';
import type { EventLog } from '../log/event-log.ts';
import { assertKnown, assertNumber, invalidOption } from '../protocol/options.ts';
import type { PresenceRule } from './presence/presence.ts';
import type { ConnectionLimits } from './registry.ts';

export interface HubLimits extends ConnectionLimits, EventLimits {
  /** Topics and patterns that one connection may ask for; more are answered 400. */
  readonly topicsPerConnection: number;
}

/** Durations in milliseconds. */
export interface HubOptions {
  /** Where events are kept. Default: in this process' memory. */
  readonly log?: EventLog;
  /** A quiet connection is sent its cursor this often. Default 15,000. */
  readonly heartbeat?: number;
  /** How long clients are told to wait before they connect again. Default 2,000. */
  readonly retry?: number;
  /** How long events are gathered before they are pushed. Default 0: until the end of the tick. */
  readonly flushWindow?: number;
  /**
   * A peer that has not taken what was written to it for this long is dropped; it comes back with its cursor. One
   * write is an event, or up to 256 KiB of several. Default 30,000.
   */
  readonly stallTimeout?: number;
  /** A connection older than this is told to come back, up to 10 % sooner. Default: none is. */
  readonly maxLifetime?: number;
  /** How long before its authorization expires a client is told, so that it can renew it. Default 30,000. */
  readonly expiryNotice?: number;
  /** `gzip()` of `tidings/gzip`, to compress each flush once for all who accept it. Default: none. */
  readonly compression?: Compression | undefined;
  readonly limits?: Partial<HubLimits>;
  /** Topics whose subscribers are counted, and told of on `presence/` and the topic. Default: none. */
  readonly presence?: readonly PresenceRule[];
  /** Takes failures that no caller waits for, of a log or of an `onConnect` hook. Default: writes them to the console. */
  readonly onError?: (error: unknown) => void;
  readonly clock?: Clock;
  /** 0 to below 1, for jitter. Default `Math.random`. */
  readonly random?: () => number;
}

export type ResolvedHubOptions = Required<Omit<HubOptions, 'limits' | 'compression'>> &
  Pick<HubOptions, 'compression'> & { readonly limits: HubLimits };

const OPTIONS: readonly (keyof HubOptions)[] = [
  'clock',
  'compression',
  'expiryNotice',
  'flushWindow',
  'heartbeat',
  'limits',
  'log',
  'maxLifetime',
  'onError',
  'presence',
  'random',
  'retry',
  'stallTimeout',
];

const DEFAULT_LIMITS: HubLimits = {
  ...DEFAULT_EVENT_LIMITS,
  connections: Infinity,
  connectionsPerSubject: Infinity,
  connectionsPerAddress: Infinity,
  topicsPerConnection: 100,
};

/** @throws {TidingsError} `hub/invalid-option` naming the option. */
export function resolveOptions(options: HubOptions & { readonly log: EventLog }): ResolvedHubOptions {
  assertKnown('', options, OPTIONS);
  assertKnown('limits.', options.limits ?? {}, Object.keys(DEFAULT_LIMITS));
  if (options.log?.tail === undefined) {
    throw invalidOption('log', '`log` is an event log, such as `memoryLog()`.');
  }
  if (!Array.isArray(options.presence ?? []))
    throw invalidOption('presence', '`presence` is a list of rules.');
  if (options.log.shared && options.presence !== undefined && options.presence.length > 0) {
    throw invalidOption(
      'presence',
      'Presence counts the connections of one process, and this log is shared by several. Leave `presence` out, or ' +
        'open the log for one process, without `shared`.',
    );
  }
  if (options.compression !== undefined && typeof options.compression?.begin !== 'function')
    throw invalidOption('compression', '`compression` is what `gzip()` of `tidings/gzip` gives.');
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  for (const [name, value] of Object.entries(limits)) assertNumber(`limits.${name}`, value, 1);
  const resolved = {
    log: options.log,
    heartbeat: options.heartbeat ?? 15_000,
    retry: options.retry ?? 2000,
    flushWindow: options.flushWindow ?? 0,
    stallTimeout: options.stallTimeout ?? 30_000,
    maxLifetime: options.maxLifetime ?? Infinity,
    expiryNotice: options.expiryNotice ?? 30_000,
    compression: options.compression,
    limits,
    presence: options.presence ?? [],
    onError: options.onError ?? ((error: unknown) => console.error('tidings:', error)),
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
  };
  for (const name of ['stallTimeout', 'maxLifetime'] as const) assertNumber(name, resolved[name], 1);
  // Not Infinity: JSON and the stream have no word for it.
  assertNumber('heartbeat', resolved.heartbeat, 1, Number.MAX_SAFE_INTEGER);
  for (const name of ['retry', 'flushWindow', 'expiryNotice'] as const)
    assertNumber(name, resolved[name], 0, Number.MAX_SAFE_INTEGER);
  return resolved;
}
