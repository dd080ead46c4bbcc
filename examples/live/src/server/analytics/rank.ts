/**
 * How much a page is viewed, of late: views count half after each day. Kept as a logarithm that grows with time, so the
 * ranks of two pages compare as they are, whenever each of them was viewed last, and nothing has to be recounted as
 * time passes.
 *
 * A page viewed `n` times at one moment has the rank log2(n) + days since 1970.
 */
const HALF_LIFE = 86_400_000;

/** @param rank the old rank; undefined for a page without views */
export function rankAfter(rank: number | undefined, views: number, at: number): number {
  const added = at / HALF_LIFE + Math.log2(views);
  if (rank === undefined) return added;
  const [low, high] = rank < added ? [rank, added] : [added, rank];
  // log2(2^low + 2^high), without numbers that no float can hold.
  return high + Math.log2(1 + 2 ** (low - high));
}
