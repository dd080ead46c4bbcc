/**
 * Where a connection's bytes go: the transport's side. It calls `drained` when the peer can take more again, and
 * `closed` once when the peer is gone, for whatever reason.
 */
export interface Sink {
  /** Takes all the bytes. @returns false if no more should come before `drained`. */
  write(bytes: Uint8Array): boolean;
  /** Sends these last bytes and what was written before, then ends the stream. */
  end(bytes: Uint8Array): void;
  /** Ends the stream now, whatever is still to be sent. */
  destroy(): void;
}

/** What a connection hands to its sink: bytes, or within this process entries. */
export interface Output {
  /** Bytes on a wire. */
  readonly length: number;
}

/** A sink of what the connection's format makes. */
export interface OutputSink {
  write(output: Output): boolean;
  end(output: Output): void;
  destroy(): void;
}
