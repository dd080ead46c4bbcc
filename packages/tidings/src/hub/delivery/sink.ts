/**
 * Where a connection's bytes go: the transport's side. It calls `drained` when the peer can take more again, and
 * `closed` once when the peer is gone, for whatever reason.
 */
export interface Sink {
  /** Takes all the bytes. @returns false if no more should come before `drained`. */
  write(bytes: Uint8Array): boolean;
  /** Sends everything written before and these last bytes, then ends the stream. */
  end(bytes: Uint8Array): void;
  /** Ends the stream now and discards unsent bytes. */
  destroy(): void;
  /** Called about once a second, for whatever the transport has to look after that isn't worth a look at each write. */
  tend?(): void;
}

/** One output of a connection for its sink: bytes, or items within this process. */
export interface Output {
  /** Bytes on a wire. */
  readonly length: number;
}

/** A sink for the output of the connection's format. */
export interface OutputSink {
  write(output: Output): boolean;
  end(output: Output): void;
  destroy(): void;
  tend?(): void;
}
