import { setImmediate as nextTurn } from 'node:timers/promises';

/** Milliseconds after which others have a turn. */
const SLICE = 3;

/** Maps a list that a stranger wrote; others have their turn in between. */
export async function mapInTurns<From, To>(list: readonly From[], map: (each: From) => To): Promise<To[]> {
  const mapped: To[] = [];
  let deadline = performance.now() + SLICE;
  for (const each of list) {
    mapped.push(map(each));
    if (performance.now() < deadline) continue;
    await nextTurn();
    deadline = performance.now() + SLICE;
  }
  return mapped;
}
