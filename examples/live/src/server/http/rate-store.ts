import type { Store } from 'express-rate-limit';
import type { Clock } from '../lib/clock.ts';
import { createShortMemory } from '../lib/short-memory.ts';

export interface RateStoreOptions {
  readonly clock: Pick<Clock, 'now'>;
  /** Milliseconds over which requests are counted. */
  readonly window: number;
  /** Senders that are counted at a time; beyond that, the one whose window began first is forgotten. */
  readonly max: number;
}

/** Where express-rate-limit counts requests. Its own `MemoryStore` has room for any number of senders. */
export function createRateStore({ clock, window, max }: RateStoreOptions): Store {
  const counts = createShortMemory<{ totalHits: number; readonly resetTime: Date }>({
    clock,
    keep: window,
    max,
  });

  return {
    localKeys: true,
    increment(key) {
      const known = counts.get(key);
      if (known !== undefined) {
        known.totalHits += 1;
        return { ...known };
      }
      const fresh = { totalHits: 1, resetTime: new Date(clock.now() + window) };
      counts.set(key, fresh);
      return { ...fresh };
    },
    decrement(key) {
      const known = counts.get(key);
      if (known !== undefined && known.totalHits > 0) known.totalHits -= 1;
    },
    resetKey: (key) => counts.delete(key),
  };
}
