import { EXPIRING, GAP, GOODBYE, SUBSCRIBED, WELCOME } from '../../protocol/control.ts';
import { concat } from '../../protocol/bytes.ts';
import { formatCursor } from '../../protocol/cursor.ts';
import { type FrameFields, encodeFrame } from '../../protocol/encode.ts';
import type { LogEntry } from '../../log/entry.ts';
import type { Format } from './format.ts';

const encoder = new TextEncoder();

function toBytes(fields: FrameFields): Uint8Array {
  return encoder.encode(encodeFrame(fields));
}

/** The bytes of an entry on the wire, as shared by all connections. `epoch` is that of the entry's log. */
export function frameOf(entry: LogEntry, epoch: string): Uint8Array {
  entry.frame ??= encoder.encode(textOf(entry, epoch));
  return entry.frame;
}

/** The same as text. */
export function textOf({ seq, type, data }: LogEntry, epoch: string): string {
  return encodeFrame({ id: formatCursor({ epoch, seq }), type, data });
}

/** The frames of several entries as one piece: a connection needs a single write for all of them. */
export function joinFrames(entries: readonly LogEntry[], epoch: string): Uint8Array {
  const [only] = entries;
  if (only !== undefined && entries.length === 1) return frameOf(only, epoch);
  return concat(entries.map((entry) => frameOf(entry, epoch)));
}

/** Makes all bytes that a hub sends. */
export const frames: Format = {
  name: '',
  welcome: (welcome, retry, id, greeting) => {
    const fields = { retry, type: WELCOME, data: JSON.stringify(welcome) };
    return encoder.encode(encodeFrame(id === undefined ? fields : { ...fields, id }) + greeting);
  },
  events: (entries, epoch, areShared) => {
    if (areShared) return joinFrames(entries, epoch);
    let text = '';
    for (const entry of entries) text += textOf(entry, epoch);
    return encoder.encode(text);
  },
  snapshot: (entries, id) => {
    const text = entries.map(({ type, data }) => encodeFrame({ type, data })).join('');
    if (id !== undefined) return encoder.encode(text + encodeFrame({ id }));
    return text === '' ? undefined : encoder.encode(text);
  },
  gap: (notice, id) => toBytes({ id, type: GAP, data: JSON.stringify(notice) }),
  subscribed: (subscribed, id) => toBytes({ id, type: SUBSCRIBED, data: JSON.stringify(subscribed) }),
  expiring: (expiring, id) => toBytes({ id, type: EXPIRING, data: JSON.stringify(expiring) }),
  goodbye: (goodbye, id) => {
    const fields = { retry: goodbye.retry, type: GOODBYE, data: JSON.stringify(goodbye) };
    return toBytes(id === undefined ? fields : { ...fields, id });
  },
  alone: (text) => encoder.encode(text),
  heartbeat: (id) => (id === undefined ? encoder.encode(':\n\n') : toBytes({ id })),
};
