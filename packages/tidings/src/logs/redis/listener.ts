import type { Follower } from '../../log/index.ts';
import type { Store } from './store.ts';
import { type News, type WakeUp, newsOf } from './wake-ups.ts';

/** Milliseconds to wait for the answer to an append of this process’s own, of which a wake-up has come. */
const OWN_ANSWER = 20;
/** Milliseconds after which the log is read even if there seems to be nothing new: other things may have changed. */
const CATCH_UP_EVERY = 1000;
/** Milliseconds for which others count as publishing, too. */
const OTHERS = 100;

export interface ListenerOptions {
  /** This process. */
  readonly id: string;
  readonly store: Store;
  readonly follower: Follower;
  /** Takes what has changed in the log's state, before the events are pushed. */
  readonly learn: (news: Omit<News, 'before' | 'entries' | 'hasLeft'> & { readonly head: number }) => void;
}

export interface Listener {
  /** Brings all that the wake-ups are about to the tail; without any, it looks. */
  take(wakeUps: readonly WakeUp[]): Promise<void>;
  /** Is given each append of this process’s own while it is under way. */
  during<T>(append: Promise<T>): Promise<T>;
  /** Others have appended something of which no wake-up has been taken. */
  heardOfOthers(): void;
}

/**
 * Takes wake-ups. Small appends of others come with them; larger ones are read. Of its own appends a process needs to
 * read nothing, since their answers say it all: as long as nobody else publishes it doesn’t even listen between two of
 * them, which would cost it and Redis as much as an append (`redis`).
 */
export function createListener({ id, store, follower, learn }: ListenerOptions): Listener {
  const { tail } = follower;
  /** Settles with the append that is under way. */
  let appending: Promise<unknown> | undefined;
  let caughtUpAt = -Infinity;
  let othersAt = -Infinity;

  function isKnown({ epoch, head }: WakeUp): boolean {
    return epoch === tail.epoch && head <= tail.head;
  }

  async function take(wakeUps: readonly WakeUp[]): Promise<void> {
    const newest = wakeUps.at(-1);
    for (const wakeUp of wakeUps) {
      if (wakeUp.by !== id) othersAt = performance.now();
      else if (wakeUp === newest) await ownAnswers();
      await push(wakeUp);
    }
    const isAll = newest !== undefined && isKnown(newest);
    if (isAll && performance.now() - caughtUpAt < CATCH_UP_EVERY) return;
    await follower.catchUp();
    caughtUpAt = performance.now();
  }

  /** Unless it is known, or does not continue the tail. */
  async function push(wakeUp: WakeUp): Promise<void> {
    const { epoch, head } = wakeUp;
    if (epoch !== tail.epoch || head <= tail.head) return;
    const news = newsOf(wakeUp);
    if (news === undefined || news.before > tail.head) return;
    const { before, entries, hasLeft, ...state } = news;
    // An append of this process’s own may have been answered since; each look at the log says it anew.
    if (hasLeft) store.hasLeft = true;
    learn({ ...state, head });
    await follower.push(entries, before, epoch);
  }

  /** Resolves when no append is under way, or one is slow, or others may publish, too. */
  async function ownAnswers(): Promise<void> {
    const until = performance.now() + CATCH_UP_EVERY;
    while (appending !== undefined && performance.now() < until) {
      if (!(await isSettledSoon(appending)) || performance.now() - othersAt < OTHERS) return;
      // Publishers that waited for it may publish again.
      await new Promise<void>((resolve) => void setImmediate(resolve));
    }
  }

  async function during<T>(append: Promise<T>): Promise<T> {
    appending = append;
    try {
      return await append;
    } finally {
      appending = undefined;
    }
  }

  return {
    take,
    during,
    heardOfOthers() {
      othersAt = performance.now();
    },
  };
}

/** Whether it settles, either way, within some milliseconds. */
function isSettledSoon(settling: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), OWN_ANSWER);
    const settled = (): void => {
      clearTimeout(timer);
      resolve(true);
    };
    settling.then(settled, settled);
  });
}
