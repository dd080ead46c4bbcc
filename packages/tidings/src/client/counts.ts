import { type Matcher, matcherKey } from '../protocol/matcher.ts';
import type { Wish } from './topic-progress.ts';

/** How often each topic is subscribed to: components of a page don't know of each other. */
export interface Counts {
  add(topics: readonly Matcher[]): void;
  /** @returns those that nobody is subscribed to any more, and those that nobody ever was. */
  drop(topics: readonly Matcher[]): readonly Matcher[];
  /** Whether anybody is subscribed to it. */
  has(topic: Matcher): boolean;
}

export function createCounts(initial: readonly Matcher[]): Counts {
  const counts = new Map<string, number>();

  function add(topics: readonly Matcher[]): void {
    for (const topic of topics) {
      const key = matcherKey(topic);
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
  }

  add(initial);
  return {
    add,
    has: (topic) => counts.has(matcherKey(topic)),
    drop: (topics) =>
      topics.filter((topic) => {
        const key = matcherKey(topic);
        const left = (counts.get(key) ?? 0) - 1;
        if (left > 0) counts.set(key, left);
        else counts.delete(key);
        return left <= 0;
      }),
  };
}

/**
 * With a shared stream, each `unsubscribe` takes back one `subscribe`: components of a page don't know of each other.
 *
 * @returns `change`, called only with what nobody else in the page is subscribed to.
 */
export function countedChanges(
  initial: readonly Matcher[],
  change: (wish: Wish) => Promise<string>,
): (wish: Wish) => Promise<string> {
  const counts = createCounts(initial);
  let last = '';
  return async ({ add, drop }) => {
    const held = drop.filter(counts.has);
    counts.add(add);
    const wish = { add, drop: counts.drop(drop) };
    if (wish.add.length + wish.drop.length === 0) return last;
    try {
      last = await change(wish);
      return last;
    } catch (error) {
      // Everything is as it was before.
      counts.drop(add);
      counts.add(held);
      throw error;
    }
  };
}
