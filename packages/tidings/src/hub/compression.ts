/**
 * The port to a content coding. A flush is compressed once, and the same bytes go to all connections that accept the
 * coding: compressed bytes must not refer back to earlier bytes of a single connection.
 */
export interface Compression {
  /** As in `Accept-Encoding` and `Content-Encoding`. */
  readonly encoding: string;
  /** Begins the body of one connection. */
  begin(): CompressedStream;
}

/** The body of one connection. After each write, the client can decode everything written so far. */
export interface CompressedStream {
  /** @returns the encoded bytes: the same object for the same input, except at the beginning of the body. */
  write(bytes: Uint8Array): Uint8Array;
  /** Encodes the last bytes and the end of the body. */
  end(bytes: Uint8Array): Uint8Array;
}
