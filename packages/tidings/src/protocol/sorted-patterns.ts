import type { Pattern } from './pattern.ts';

/**
 * Many patterns as one question. Sorted by their literal beginnings, the patterns that begin like a topic are found by
 * a few binary searches, in no more memory than a list takes. Patterns that begin with a wildcard are asked one by one.
 */
export class SortedPatterns {
  readonly #sorted: readonly Pattern[];
  /** How many patterns, at the front, have no literal beginning. */
  readonly #open: number;

  constructor(patterns: readonly Pattern[]) {
    const beginning = ({ pattern, plainLength }: Pattern): string => pattern.slice(0, plainLength);
    const keyed = patterns.map((pattern) => ({ pattern, key: beginning(pattern) }));
    // By UTF-16 units, as `compare` does below.
    keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    this.#sorted = keyed.map(({ pattern }) => pattern);
    this.#open = keyed.filter(({ key }) => key === '').length;
  }

  matches(topic: string): boolean {
    const sorted = this.#sorted;
    for (let i = 0; i < this.#open; i += 1) if ((sorted[i] as Pattern).matches(topic)) return true;
    // Every prefix of the topic sorts before it, the longest last. Anything sorted between two of them shares more
    // with the topic than the shorter one does, so the search can go on from there.
    let length = topic.length;
    let end = sorted.length;
    for (;;) {
      end = this.#firstAfter(topic, length, end);
      const candidate = sorted[end - 1];
      if (candidate === undefined || end <= this.#open) return false;
      const common = commonLength(candidate, topic, length);
      if (common < candidate.plainLength) {
        length = common;
        if (common === 0) return false;
        continue;
      }
      if (candidate.matches(topic)) return true;
      end -= 1;
    }
  }

  /** The first index before `end` of a pattern that sorts after the first `length` units of the topic. */
  #firstAfter(topic: string, length: number, end: number): number {
    let low = this.#open;
    let high = end;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compare(this.#sorted[middle] as Pattern, topic, length) <= 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** How many units of its beginning a pattern shares with the first `length` of a topic. */
function commonLength({ pattern, plainLength }: Pattern, topic: string, length: number): number {
  const most = Math.min(plainLength, length);
  let i = 0;
  while (i < most && pattern.charCodeAt(i) === topic.charCodeAt(i)) i += 1;
  return i;
}

/** Below 0 if the pattern's beginning sorts before the first `length` units of the topic, 0 if they are equal. */
function compare(candidate: Pattern, topic: string, length: number): number {
  const common = commonLength(candidate, topic, length);
  if (common === length) return candidate.plainLength - length;
  if (common === candidate.plainLength) return -1;
  return candidate.pattern.charCodeAt(common) - topic.charCodeAt(common);
}
