import { remembering } from './once-for-all.ts';

/** Turns a flush's bytes into those on the wire. */
type Framing = (bytes: Uint8Array) => Buffer;

/** A `Buffer`, as `net.Socket` takes it: one view for all connections instead of one per write. */
export const toBuffer: Framing = remembering((bytes) =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
);

/** A chunk of the chunked transfer coding: https://www.rfc-editor.org/rfc/rfc9112#section-7.1 */
export const toChunk: Framing = remembering((bytes) => {
  const size = `${bytes.length.toString(16)}\r\n`;
  const chunk = Buffer.allocUnsafeSlow(size.length + bytes.length + 2);
  chunk.write(size, 'latin1');
  chunk.set(bytes, size.length);
  chunk.write('\r\n', size.length + bytes.length, 'latin1');
  return chunk;
});

export const LAST_CHUNK: Buffer = Buffer.from('0\r\n\r\n');
