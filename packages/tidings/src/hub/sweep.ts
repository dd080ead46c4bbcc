import { formatCursor } from '../protocol/cursor.ts';
import type { Connection, Delivery } from './delivery/connection.ts';
import type { Format } from './delivery/format.ts';
import type { Output } from './delivery/sink.ts';
import { type Lifetimes, dueOf } from './expiry.ts';
import type { Registry } from './registry.ts';

export interface SweepOptions extends Lifetimes {
  readonly delivery: Delivery;
  readonly registry: Registry;
  /** The `retry:` for a connection that ends now, in milliseconds. */
  readonly retryAfterEnd: () => number;
  readonly counters: { stalled: number };
}

const MAX_INTERVAL = 1000;

/**
 * One timer for all that happens by time alone: to connections, heartbeats, expiry of authorization, maximum lifetime,
 * peers that take nothing; to the log, old events and keys that expire. It runs only while there are connections, or
 * keys that will expire.
 */
export class Sweep {
  readonly #options: SweepOptions;
  readonly #interval: number;
  #cancel: (() => void) | undefined;
  #closed = false;
  /** The clock's monotonic time. */
  #trimmedAt = -Infinity;

  constructor(options: SweepOptions) {
    this.#options = options;
    this.#interval = Math.min(MAX_INTERVAL, options.delivery.heartbeat / 2, options.stallTimeout / 2);
  }

  /** Makes sure that the timer runs. Events that grew too old while it didn't are trimmed first. */
  start(): void {
    if (this.#cancel !== undefined || this.#closed) return;
    const { clock } = this.#options.delivery;
    // Connections that come and go must not have it look again and again.
    if (clock.monotonic() - this.#trimmedAt >= this.#interval) this.#trim();
    this.#cancel = clock.setTimer(() => this.#run(), this.#interval, true);
  }

  /** Whether there is anything to wait for. */
  get isNeeded(): boolean {
    const { registry, delivery } = this.#options;
    return registry.size > 0 || delivery.log.nextExpiry < Infinity;
  }

  startIfNeeded(): void {
    if (this.isNeeded) this.start();
  }

  close(): void {
    this.#closed = true;
    this.stop();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #run(): void {
    this.#cancel = undefined;
    const { registry, delivery } = this.#options;
    this.#trim();
    // A heartbeat carries the cursor: events published before must come first.
    delivery.fanOut.flush();
    this.#visitAll(registry.values());
  }

  /** Many connections are visited in slices: a heartbeat to each of them takes its time. */
  #visitAll(connections: IterableIterator<Connection>): void {
    const { delivery } = this.#options;
    const { clock, log, fanOut, tuning } = delivery;
    const now = clock.now();
    const begin = clock.monotonic();
    const { settled } = fanOut;
    const cursor = formatCursor({ epoch: log.tail.epoch, seq: settled });
    const beats = new Map<Format, Output>();
    let left = tuning.lookEvery;
    for (const connection of connections) {
      this.#visit(connection, now, begin);
      // A beat that would be late by the next round goes out in this one.
      const isSilent = begin - connection.wroteAt + this.#interval > delivery.heartbeat;
      if (isSilent) connection.beat(beatOf(beats, connection.format, cursor), settled, begin);
      left -= 1;
      if (left > 0) continue;
      if (clock.monotonic() - begin >= tuning.slice) return clock.defer(() => this.#visitAll(connections));
      left = tuning.lookEvery;
    }
    this.startIfNeeded();
  }

  #trim(): void {
    const { clock, log, report } = this.#options.delivery;
    this.#trimmedAt = clock.monotonic();
    log.trim(clock.now()).catch(report);
  }

  #visit(connection: Connection, now: number, monotonic: number): void {
    const { delivery, retryAfterEnd, counters } = this.#options;
    connection.tend();
    switch (dueOf(connection, this.#options, now, monotonic)) {
      case 'stalled':
        counters.stalled += 1;
        return connection.destroy('stalled');
      case 'expired':
        return connection.end('expired', delivery.retry);
      case 'lifetime':
        return connection.end('lifetime', retryAfterEnd());
      case 'expiring':
        return connection.warnOfExpiry();
      case undefined:
    }
  }
}

/** A heartbeat of a format, the same for all its connections. */
function beatOf(beats: Map<Format, Output>, format: Format, cursor: string): Output {
  let beat = beats.get(format);
  if (beat === undefined) beats.set(format, (beat = format.heartbeat(cursor)));
  return beat;
}
