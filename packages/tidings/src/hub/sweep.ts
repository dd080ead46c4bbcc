import { formatCursor } from '../protocol/cursor.ts';
import { encodeFrame } from '../protocol/encode.ts';
import type { Connection, Delivery } from './delivery/connection.ts';
import type { Registry } from './registry.ts';

export interface SweepOptions {
  readonly delivery: Delivery;
  readonly registry: Registry;
  /** Milliseconds. */
  readonly stallTimeout: number;
  readonly maxLifetime: number;
  readonly expiryNotice: number;
  /** What `retry:` tells a connection that ends now, in milliseconds. */
  readonly retryAfterEnd: () => number;
  readonly counters: { stalled: number };
}

const MAX_INTERVAL = 1000;
const encoder = new TextEncoder();

/**
 * One timer for all that happens to connections by time alone: heartbeats, expiry of authorization, maximum
 * lifetime, peers that take nothing. It runs only while there are connections.
 */
export class Sweep {
  readonly #options: SweepOptions;
  readonly #interval: number;
  #cancel: (() => void) | undefined;
  /** The clock's monotonic time. */
  #trimmedAt = -Infinity;

  constructor(options: SweepOptions) {
    this.#options = options;
    this.#interval = Math.min(MAX_INTERVAL, options.delivery.heartbeat / 2, options.stallTimeout / 2);
  }

  /** Makes sure that the timer runs. What grew too old while it didn't is trimmed first. */
  start(): void {
    if (this.#cancel !== undefined) return;
    const { clock } = this.#options.delivery;
    // Connections that come and go must not have it look again and again.
    if (clock.monotonic() - this.#trimmedAt >= this.#interval) this.#trim();
    this.#cancel = clock.setTimer(() => this.#run(), this.#interval);
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #run(): void {
    this.#cancel = undefined;
    const { delivery, registry } = this.#options;
    const { clock, log } = delivery;
    this.#trim();
    // A heartbeat carries the head as cursor, so nothing up to the head may still be waiting to be pushed.
    delivery.flush();
    const { head, epoch } = log.tail;
    const beat = encoder.encode(encodeFrame({ id: formatCursor({ epoch, seq: head }) }));
    const now = clock.now();
    const monotonic = clock.monotonic();
    for (const connection of registry.values()) {
      this.#visit(connection, now, monotonic);
      // A beat that would be late by the next round goes out in this one.
      const silent = monotonic - connection.wroteAt + this.#interval > delivery.heartbeat;
      if (connection.phase !== 'live' || !silent) continue;
      connection.pushAlone(beat, head, monotonic);
    }
    if (registry.size > 0) this.start();
  }

  #trim(): void {
    const { clock, log, report } = this.#options.delivery;
    this.#trimmedAt = clock.monotonic();
    log.trim(clock.now()).catch(report);
  }

  #visit(connection: Connection, now: number, monotonic: number): void {
    const { delivery, stallTimeout, maxLifetime, expiryNotice, retryAfterEnd, counters } = this.#options;
    const { blockedAt, request, id, admittedAt } = connection;
    if (blockedAt !== undefined && monotonic - blockedAt >= stallTimeout) {
      counters.stalled += 1;
      connection.destroy();
    } else if (request.expiresAt !== undefined && now >= request.expiresAt) {
      connection.end('expired', delivery.retry);
    } else if (monotonic - admittedAt >= maxLifetime * lifetimeShare(id)) {
      connection.end('lifetime', retryAfterEnd());
    } else if (request.expiresAt !== undefined && now >= request.expiresAt - expiryNotice) {
      connection.warnOfExpiry();
    }
  }
}

/** 0.9 to 1, fixed for a connection: those that came together don't all leave together. */
function lifetimeShare(id: string): number {
  let hash = 0;
  for (let i = 0; i < id.length; i += 1) hash = (hash * 31 + id.charCodeAt(i)) % 1000;
  return 0.9 + hash / 10_000;
}
