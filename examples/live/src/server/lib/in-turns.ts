import { setImmediate } from 'node:timers/promises';

/**
 * Repeats a piece of work, such as deleting a batch of rows, until it finds nothing more to do. SQLite answers within
 * the same turn of the event loop, so without the pauses all of it would be one turn.
 *
 * @param work resolves to how much it did
 */
export async function inTurns(work: () => Promise<number>): Promise<void> {
  while ((await work()) > 0) await setImmediate();
}
