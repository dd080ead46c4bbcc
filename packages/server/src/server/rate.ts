import { tooManyRequests } from 'tidings';

export interface Rate {
  /** Per second. */
  readonly rate: number;
  readonly burst: number;
}

/** Keys that are remembered; forgetting one in debt forgives it, so they are many. */
const MAX_KEYS = 100_000;

/**
 * Limits how much each key does, with one number per key: the time at which it will have paid for everything it did.
 * A key that isn't in debt beyond the burst may go on, even by more than is left: a batch larger than the burst would
 * otherwise never be possible. The debt is paid before the next.
 */
export class RateLimit {
  readonly #paidAt = new Map<string, number>();
  readonly #now: () => number;
  #rate: Rate | undefined;

  /** @param now milliseconds that only grow. */
  constructor(rate: Rate | undefined, now: () => number) {
    this.#rate = rate;
    this.#now = now;
  }

  /** The debts stay as they are. */
  change(rate: Rate | undefined): void {
    this.#rate = rate;
  }

  /** @throws {TidingsError} `limit/rate` if the key has to wait. */
  assertRoom(key: string): void {
    if (this.#rate === undefined) return;
    const { rate, burst } = this.#rate;
    const wait = (this.#paidAt.get(key) ?? -Infinity) - this.#now() - ((burst - 1) / rate) * 1000;
    if (wait <= 0) return;
    throw tooManyRequests(`These credentials may publish ${rate} events a second.`, wait / 1000);
  }

  /** @throws {TidingsError} `limit/rate` if the key has to wait; then nothing is charged. */
  charge(key: string, amount: number): void {
    if (this.#rate === undefined) return;
    this.assertRoom(key);
    const now = this.#now();
    const paidAt = Math.max(this.#paidAt.get(key) ?? now, now) + (amount / this.#rate.rate) * 1000;
    this.#paidAt.delete(key);
    this.#paidAt.set(key, paidAt);
    if (this.#paidAt.size > MAX_KEYS) this.#forget();
  }

  /** The keys used longest ago. */
  #forget(): void {
    for (const key of this.#paidAt.keys()) {
      if (this.#paidAt.size <= MAX_KEYS / 2) return;
      this.#paidAt.delete(key);
    }
  }
}
