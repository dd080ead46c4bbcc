import type { Format } from 'tidings/transport';
import { encodeFrame, tagOf } from 'tidings/transport';
import { formatCursor } from 'tidings/log';
import { RETRY_TAG, idOfCursor, idOfEntry } from './identifiers.ts';

type Entry = Parameters<Format['events']>[0][number];

const encoder = new TextEncoder();
/** Each update is encoded once for everybody. */
const encoded = new WeakMap<Entry, Uint8Array>();

function frameOf(entry: Entry, epoch: string): Uint8Array {
  const known = encoded.get(entry);
  if (known !== undefined) return known;
  const frame = encoder.encode(textOf(entry, epoch));
  encoded.set(entry, frame);
  return frame;
}

function textOf(entry: Entry, epoch: string): string {
  const { topics, type, data, seq } = entry;
  const retry = tagOf(topics, RETRY_TAG);
  const id = idOfEntry(topics, formatCursor({ epoch, seq }));
  // Not as a number: digits are copied as they are, however many.
  return (retry === undefined ? '' : `retry: ${retry}\n`) + encodeFrame({ id, type, data });
}

/** A comment, which clients ignore, and the cursor, which they come back with. */
function note(comment: string, cursor?: string, retry?: number): Uint8Array {
  const id = cursor === undefined ? {} : { id: idOfCursor(cursor) };
  return encoder.encode(`:${comment}\n${encodeFrame({ ...id, ...(retry !== undefined && { retry }) })}`);
}

/**
 * Streams of the Mercure protocol: updates with their identifiers, and nothing else that a client dispatches. It has no words
 * for gaps, states and goodbyes; comments are for people who look at a stream.
 */
export const mercureFormat: Format = {
  name: 'mercure',
  welcome: (_welcome, retry, cursor, greeting) => {
    const opening = note('', cursor, retry);
    return greeting === '' ? opening : Buffer.concat([opening, encoder.encode(greeting)]);
  },
  events: (entries, epoch, areShared) => {
    if (!areShared) return encoder.encode(entries.map((entry) => textOf(entry, epoch)).join(''));
    const [only] = entries;
    if (only !== undefined && entries.length === 1) return frameOf(only, epoch);
    return Buffer.concat(entries.map((entry) => frameOf(entry, epoch)));
  },
  gap: (_notice, cursor) => note(' updates are missing here: they are no longer in the history', cursor),
  subscribed: (_subscribed, cursor) => note('', cursor),
  expiring: (_expiring, cursor) => note(' the access token expires soon', cursor),
  goodbye: ({ reason, retry }, cursor) => note(` ${reason}`, cursor, retry),
  heartbeat: (cursor) => note('', cursor),
  alone: (frames) => encoder.encode(frames),
};
