/**
 * The port to a content coding. A flush is compressed once, and the same bytes go to all connections that accept the
 * coding: what is compressed must not refer back to what any one of them was sent before.
 */
export interface Compression {
  /** As in `Accept-Encoding` and `Content-Encoding`. */
  readonly encoding: string;
  /** Begins the body of one connection. */
  begin(): CompressedStream;
}

/** The body of one connection; what has been written so far can be read without what follows. */
export interface CompressedStream {
  /** @returns what goes on the wire for these bytes: for the same bytes the same object, but at the beginning. */
  write(bytes: Uint8Array): Uint8Array;
  /** The last bytes, and what ends the body. */
  end(bytes: Uint8Array): Uint8Array;
}
