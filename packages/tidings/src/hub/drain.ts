import type { Conflation } from './conflation.ts';
import type { Connection } from './delivery/connection.ts';
import type { FanOut } from './delivery/fan-out.ts';
import { ENDS_PER_TURN, type Goodbyes } from './goodbyes.ts';
import { inSlices } from './in-slices.ts';
import type { ResolvedHubOptions } from './options.ts';

/** Reconnects per second over which `retry` spreads clients when many have to come back. */
const RECONNECTS_PER_SECOND = 1000;

/** Anything that a drain can end. */
export interface Drainable {
  readonly options: Pick<ResolvedHubOptions, 'log' | 'clock' | 'random' | 'retry'>;
  readonly fanOut: FanOut;
  readonly conflation: Conflation;
  readonly goodbyes: Goodbyes;
  /** The connections of peers. */
  readonly registry: { readonly size: number };
  /** How many connections there are, of peers and of this process. */
  readonly size: number;
  all(): Iterable<Connection>;
  /** Stops all timers. */
  stop(): void;
  /** Resolves once consumers have stored their cursors. */
  stopConsumers(): Promise<void>;
  /** Tells the others that this hub is gone. */
  leave(): Promise<void>;
}

/** Closes a hub: says goodbye to every connection, waits for their peers, closes the log. */
export class Drain {
  readonly #hub: Drainable;
  #closed: Promise<void> | undefined;
  #onEmpty: (() => void) | undefined;
  readonly #goneListeners: (() => void)[] = [];

  constructor(hub: Drainable) {
    this.#hub = hub;
  }

  /** Whether `close` has been called: no new connections. */
  get begun(): boolean {
    return this.#closed !== undefined;
  }

  /** Says goodbye to all, and closes the log once they are gone or `within` milliseconds have passed. */
  close(within: number): Promise<void> {
    if (this.#closed !== undefined) return this.#closed;
    // Set before the first goodbye: a listener for the end of a connection may call this, too, or connect.
    this.#closed = this.#finish(within);
    this.#sayGoodbye();
    return this.#closed;
  }

  /** Calls `listener` once all connections are gone. */
  onGone(listener: () => void): void {
    this.#goneListeners.push(listener);
  }

  /** Call it when a connection is gone. */
  connectionGone(): void {
    if (this.#hub.size === 0) this.#onEmpty?.();
  }

  #sayGoodbye(): void {
    const { fanOut, options, registry } = this.#hub;
    fanOut.flush();
    const spread = Math.max(1000, reconnectSpread(registry.size));
    const goodbyes = [...this.#hub.all()].map((connection) =>
      connection.beginEnd('drain', options.retry + options.random() * spread),
    );
    this.#hub.goodbyes.say(goodbyes);
    this.connectionGone();
  }

  /** Ends at once all connections that are left, after their goodbye: also those that were being ended when the drain began. */
  #drop(): void {
    inSlices(this.#hub.options.clock, [...this.#hub.all()].values(), {
      work: (connection) => connection.destroy(),
      most: ENDS_PER_TURN,
    });
  }

  async #finish(within: number): Promise<void> {
    const { options, conflation } = this.#hub;
    const gone = new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
    const cancel = options.clock.setTimer(() => this.#hub.goodbyes.whenAllSaid(() => this.#drop()), within);
    // A handler that doesn't end must not hold up the rest for good.
    let giveUp = (): void => {};
    const late = new Promise<void>((resolve) => {
      giveUp = options.clock.setTimer(resolve, within);
    });
    await Promise.all([gone, Promise.race([this.#hub.stopConsumers(), late])]);
    giveUp();
    cancel();
    for (const listener of this.#goneListeners) listener();
    await conflation.flush();
    this.#hub.stop();
    await this.#hub.leave();
    await options.log.close();
  }
}

/** Milliseconds over which this many connections should come back. */
export function reconnectSpread(connections: number): number {
  return connections > 1 ? (connections / RECONNECTS_PER_SECOND) * 1000 : 0;
}
