import type { ReceivedEvent } from '../client/event-client.ts';
import { parseCursor } from '../protocol/cursor.ts';

/** How two cursors of one log follow each other; undefined if they are of different logs, or not a hub's. */
export function compareCursors(a: string, b: string): number | undefined {
  if (a === b) return a === '' ? undefined : 0;
  const [first, second] = [parseCursor(a), parseCursor(b)];
  if (first === undefined || second === undefined || first.epoch !== second.epoch) return undefined;
  return first.seq - second.seq;
}

/** Whether data that is true at `cursor` may lack this event. When in doubt, it may. */
export function isAfter(event: Pick<ReceivedEvent, 'cursor'>, cursor: string): boolean {
  const order = compareCursors(event.cursor, cursor);
  return order === undefined || order > 0;
}

/** Whether data that is true at `cursor` reaches up to where the events begin; undefined if the cursors don't say. */
export function reaches(cursor: string, begins: readonly string[]): boolean | undefined {
  let known: boolean | undefined = true;
  for (const begin of begins) {
    const order = compareCursors(cursor, begin);
    if (order !== undefined && order < 0) return false;
    if (order === undefined) known = undefined;
  }
  return known;
}
