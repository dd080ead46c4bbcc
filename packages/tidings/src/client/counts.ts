import { type Matcher, matcherKey } from '../protocol/matcher.ts';
import { isMatcher } from './fixed-topics.ts';
import type { MachineDriver } from './machine-driver.ts';
import type { Settings } from './settings.ts';
import type { Wish } from './topic-progress.ts';

export type Changer = Pick<MachineDriver, 'change'>;

/** Changes topics, as far as nobody else in the page is subscribed to them. */
export type CountedChange = (wish: Wish, driver: Changer) => Promise<string>;

/** How often each topic is subscribed to: components of a page don't know of each other. */
export interface Counts {
  add(topics: readonly Matcher[]): void;
  /** @returns those that nobody is subscribed to any more, and those that nobody ever was. */
  drop(topics: readonly Matcher[]): readonly Matcher[];
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

/** Each `unsubscribe` takes back one `subscribe`: components of a page don't know of each other. */
export function countedChanges({ topics }: Pick<Settings, 'topics'>): CountedChange {
  const counts = createCounts(topics);
  let last = '';
  return async ({ add, drop }, driver) => {
    const added = add.filter(isMatcher);
    counts.add(added);
    const wish = { add, drop: drop.every(isMatcher) ? counts.drop(drop) : drop };
    if (wish.add.length + wish.drop.length === 0) return last;
    try {
      last = await driver.change(wish);
      return last;
    } catch (error) {
      counts.drop(added);
      throw error;
    }
  };
}
