import type { CompressedStream } from '../hub/compression.ts';
import type { Sink } from '../hub/delivery/sink.ts';

/** Compresses bytes on their way to another sink. */
export class CompressedSink implements Sink {
  readonly #sink: Sink;
  readonly #stream: CompressedStream;

  constructor(sink: Sink, stream: CompressedStream) {
    this.#sink = sink;
    this.#stream = stream;
  }

  write(bytes: Uint8Array): boolean {
    return this.#sink.write(this.#stream.write(bytes));
  }

  end(bytes: Uint8Array): void {
    this.#sink.end(this.#stream.end(bytes));
  }

  destroy(): void {
    this.#sink.destroy();
  }

  tend(): void {
    this.#sink.tend?.();
  }
}
