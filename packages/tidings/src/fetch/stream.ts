import type { Sink } from '../hub/delivery/sink.ts';
import type { OwnConnection } from '../hub/gateway.ts';
import { CompressedSink } from '../http/compressed-sink.ts';
import type { Acceptance } from '../http/negotiation.ts';

/** Bytes that wait in a response's stream before the connection falls behind, as a socket's buffer would hold. */
const HIGH_WATER_MARK = 65_536;

/** The response whose body the connection writes. */
export function toResponse(
  { connection, headers, compression, greeting }: Acceptance,
  signal: AbortSignal,
): Response {
  // Before the stream, since it throws if the app's headers can't be sent.
  const init = { headers: new Headers(headers) };
  let sink: StreamSink | undefined;
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const onAbort = (): void => {
          connection.closed();
          // Not as an error: servers log errors, and a peer that leaves is nothing to report.
          sink?.close();
        };
        if (signal.aborted) {
          connection.closed();
          return controller.close();
        }
        signal.addEventListener('abort', onAbort);
        connection.onClose(() => signal.removeEventListener('abort', onAbort));
        sink = new StreamSink(controller, connection);
        connection.open(
          compression === undefined ? sink : new CompressedSink(sink, compression.begin()),
          greeting,
        );
      },
      pull: () => sink?.pulled(),
      cancel: () => connection.closed(),
    },
    new ByteLengthQueuingStrategy({ highWaterMark: HIGH_WATER_MARK }),
  );
  return new Response(body, init);
}

class StreamSink implements Sink {
  readonly #controller: ReadableStreamDefaultController<Uint8Array>;
  readonly #connection: OwnConnection;
  #isEnding = false;
  #isClosed = false;
  /** Whether the server has taken the last bytes out of the stream. */
  #isEmpty = false;

  constructor(controller: ReadableStreamDefaultController<Uint8Array>, connection: OwnConnection) {
    this.#controller = controller;
    this.#connection = connection;
  }

  write(bytes: Uint8Array): boolean {
    this.#controller.enqueue(bytes);
    return (this.#controller.desiredSize ?? 0) > 0;
  }

  /** Closes the stream only once it is empty: nothing signals when a closed stream has been emptied. */
  end(bytes: Uint8Array): void {
    this.#isEnding = true;
    this.#controller.enqueue(bytes);
  }

  /** The server has taken bytes, or waits for some. It asks for more once it has passed on the bytes it took. */
  pulled(): void {
    if (!this.#isEnding) return this.#connection.drained();
    if (this.#controller.desiredSize !== HIGH_WATER_MARK) return;
    if (!this.#isEmpty) {
      this.#isEmpty = true;
      return;
    }
    this.close();
    // The server ends its response first, which it does at once.
    setTimeout(() => this.#connection.closed(), 0);
  }

  destroy(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#controller.error(new Error('The stream was ended by the server.'));
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#controller.close();
  }
}
