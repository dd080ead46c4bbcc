/** Random choices that a seed repeats. */
export interface Random {
  /** 0 to 1, without 1. */
  next(): number;
  /** A whole number from 0 to `end`, without `end`. */
  int(end: number): number;
  chance(probability: number): boolean;
  pick<T>(from: readonly [T, ...T[]]): T;
  /** Up to `most` times what `make` makes. */
  list<T>(most: number, make: () => T): T[];
}

/** Mulberry32: one word of state is plenty for choosing inputs. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  function next(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }
  const int = (end: number): number => Math.floor(next() * end);
  return {
    next,
    int,
    chance: (probability) => next() < probability,
    pick: ([first, ...others]) =>
      others.length === 0 ? first : ([first, ...others][int(others.length + 1)] ?? first),
    list: (most, make) => Array.from({ length: int(most + 1) }, make),
  };
}
