import { type Gateway, type Start, parseStart, tagOf } from 'tidings/transport';

/**
 * Identifiers of updates. One that its publisher named has that name; it needn't be the only one. Any other has the cursor
 * right after it, as a fragment: `#epoch.seq`.
 */

/** The tag with the publisher's own identifier, and the one with the reconnection time. */
export const ID_TAG = 'mercure-id';
export const RETRY_TAG = 'mercure-retry';

export const EARLIEST = 'earliest';

export function idOfCursor(cursor: string): string {
  return `#${cursor}`;
}

export function idOfEntry(topics: readonly string[], cursor: string): string {
  return tagOf(topics, ID_TAG) ?? idOfCursor(cursor);
}

/** The place in the log at which a subscriber begins that names this identifier as the last it has seen. */
export async function startAfter(id: string | undefined, gateway: Gateway): Promise<Start> {
  if (id === undefined || id === '') return 'head';
  if (id === EARLIEST) return EARLIEST;
  if (id.startsWith('#')) return cursorOf(id.slice(1));
  const cursor = await gateway.find(ID_TAG, id);
  // A cursor from the HTTP API serves as well: a backend may publish there, and render its pages with it.
  return cursorOf(cursor ?? id);
}

function cursorOf(text: string): Start {
  const start = parseStart(text);
  return typeof start === 'object' ? start : 'unknown';
}

/** HTTP fields have bytes; Node gives and takes each as a character. */
export function fromField(value: string | undefined): string | undefined {
  return value === undefined ? undefined : Buffer.from(value, 'latin1').toString('utf8');
}

export function toField(value: string): string {
  return Buffer.from(value, 'utf8').toString('latin1');
}
