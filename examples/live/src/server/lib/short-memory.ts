import type { Clock } from './clock.ts';

/** A map that outsiders may fill: each entry is forgotten after a while, and the oldest ones once there are too many. */
export interface ShortMemory<Value> {
  get(key: string): Value | undefined;
  /** Remembers it from now on, even if the key was known. */
  set(key: string, value: Value): void;
  delete(key: string): void;
  /** Entries that take up memory. */
  readonly size: number;
}

export interface ShortMemoryOptions {
  readonly clock: Pick<Clock, 'now'>;
  /** Milliseconds from `set` until an entry is forgotten. */
  readonly keep: number;
  readonly max: number;
}

export function createShortMemory<Value>({ clock, keep, max }: ShortMemoryOptions): ShortMemory<Value> {
  // In the order of `set`, so the oldest are the first: forgetting takes no timer and no search.
  const entries = new Map<string, { readonly value: Value; readonly until: number }>();

  /** After the clock was set back, no entry may outlive its time by the difference. */
  function isFresh(until: number): boolean {
    const left = until - clock.now();
    return left > 0 && left <= keep;
  }

  function forget(): void {
    for (const [key, { until }] of entries) {
      if (isFresh(until) && entries.size <= max) return;
      entries.delete(key);
    }
  }

  return {
    get(key) {
      const entry = entries.get(key);
      return entry !== undefined && isFresh(entry.until) ? entry.value : undefined;
    },
    set(key, value) {
      entries.delete(key);
      entries.set(key, { value, until: clock.now() + keep });
      forget();
    },
    delete: (key) => void entries.delete(key),
    get size() {
      return entries.size;
    },
  };
}
