import type { Clock } from './clock.ts';

interface Slices<T> {
  /** Done for each item, in order. */
  readonly work: (item: T) => void;
  /** The most items of a turn: fewer, if they take longer than usual. */
  readonly most: number;
  /** Asked before each later turn: whether to stop, since it is no longer of use. Without it, all are done. */
  readonly isOver?: () => boolean;
  readonly done?: () => void;
}

/** The most milliseconds of a turn. */
const MOST_TIME = 5;

/** Works through the items: some at once, and as many in each later turn of the event loop. */
export function inSlices<T>(clock: Clock, items: Iterator<T>, slices: Slices<T>): void {
  const { work, most, isOver, done } = slices;
  const latest = clock.monotonic() + MOST_TIME;
  let isDone = false;
  try {
    for (let i = 0; i < most && !isDone && clock.monotonic() <= latest; i += 1) {
      const next = items.next();
      isDone = next.done === true;
      if (next.done !== true) work(next.value);
    }
  } finally {
    // Also if an item throws, such as by the app's `onError`: the others don't wait for good.
    if (!isDone)
      clock.defer(() => {
        if (isOver?.() !== true) inSlices(clock, items, slices);
      });
  }
  if (isDone) done?.();
}
