import { concat } from '../../protocol/bytes.ts';
import { formatCursor } from '../../protocol/cursor.ts';
import { encodeFrame } from '../../protocol/encode.ts';
import type { LogEntry } from '../../log/entry.ts';

const encoder = new TextEncoder();

/** The bytes of an entry on the wire, as shared by all connections. `epoch` is that of the entry's log. */
export function frameOf(entry: LogEntry, epoch: string): Uint8Array {
  entry.frame ??= encoder.encode(
    encodeFrame({ id: formatCursor({ epoch, seq: entry.seq }), type: entry.type, data: entry.data }),
  );
  return entry.frame;
}

/** The frames of several entries as one piece, so that a connection needs one write for all of them. */
export function joinFrames(entries: readonly LogEntry[], epoch: string): Uint8Array {
  const [only] = entries;
  if (only !== undefined && entries.length === 1) return frameOf(only, epoch);
  return concat(entries.map((entry) => frameOf(entry, epoch)));
}
