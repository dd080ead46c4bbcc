import { setImmediate as nextTurn } from 'node:timers/promises';

/** Milliseconds of one turn of the event loop: streams must not wait for somebody's question. */
const SLICE = 5;
const LOOK_EVERY = 64;

/** Visits all items, in slices, unless `visit` says that it has had enough. */
export async function inSlices<T>(items: Iterable<T>, visit: (item: T) => void | 'enough'): Promise<void> {
  let deadline = performance.now() + SLICE;
  let left = LOOK_EVERY;
  for (const item of items) {
    if (visit(item) === 'enough') return;
    left -= 1;
    if (left > 0) continue;
    left = LOOK_EVERY;
    if (performance.now() < deadline) continue;
    await nextTurn();
    deadline = performance.now() + SLICE;
  }
}
