import type { Http2ServerResponse, ServerHttp2Stream } from 'node:http2';
import type { Sink } from '../hub/delivery/sink.ts';
import type { Gateway, OwnConnection } from '../hub/gateway.ts';
import { toBuffer } from './framing.ts';
import { type Handle, type Writer, writeToHandle } from './handle.ts';
import type { NodeRequest } from './node-stream.ts';
import { endResponse, endWithResponse } from './response-sink.ts';
import { findTimeout, restart } from './timeouts.ts';

/** Bytes that may wait in a stream before it takes no more. */
const MAX_PENDING = 65_536;
/** Only the end of one write in so many bytes is awaited; everything before it has ended, too. */
const AWAIT_EVERY = 16_384;

/**
 * Writes to the handle beneath a stream of HTTP/2: `res.write` calls `stream.write`, which makes five functions for each
 * write. The head and the end still go through the response. Other than a socket's, a stream's writes complete later, once the
 * session has sent them. Measured by the benchmark `http2`.
 */
export class Http2Sink implements Sink, Writer {
  readonly #gateway: Gateway;
  readonly #req: NodeRequest;
  readonly #res: Http2ServerResponse;
  readonly #connection: OwnConnection;
  readonly #stream: ServerHttp2Stream;
  readonly #handle: Handle;
  #isFull = false;
  /** Writes whose end is awaited, and the bytes up to the last of them since there were none. */
  #awaited = 0;
  #bytes = 0;
  /** Bytes written since then, which may have been sent or not. */
  #more = 0;
  /** Whether the app has given the stream or its session a timeout, when last looked. */
  #isTimed = false;

  constructor(
    gateway: Gateway,
    req: NodeRequest,
    res: Http2ServerResponse,
    connection: OwnConnection,
    handle: Handle,
  ) {
    this.#gateway = gateway;
    this.#req = req;
    this.#res = res;
    this.#connection = connection;
    this.#stream = res.stream;
    this.#handle = handle;
    endWithResponse(connection, req, res);
  }

  write(bytes: Uint8Array): boolean {
    const stream = this.#stream;
    // By the app, too; the handle itself would take bytes until the end has been sent.
    if (stream.writableEnded) return false;
    const chunk = toBuffer(bytes);
    this.#more += chunk.length;
    const fills = !this.#isFull && this.#bytes + this.#more >= MAX_PENDING;
    const isAwaited = fills || (this.#awaited === 0 && this.#more >= AWAIT_EVERY);
    const written = writeToHandle(this.#handle, chunk, isAwaited ? this : undefined);
    if (this.#isTimed) this.#restart();
    if (written === 'pending') {
      if (isAwaited) this.#await();
      this.#isFull ||= fills;
      return !this.#isFull;
    }
    if (written === 'failed') stream.destroy();
    // Writes end in their order: with this one, all before it.
    else this.#more = 0;
    return written === 'sent';
  }

  #restart(): void {
    restart(this.#stream);
    restart(this.#stream.session);
  }

  #await(): void {
    this.#awaited += 1;
    this.#bytes += this.#more;
    this.#more = 0;
  }

  written(failed: boolean): void {
    this.#awaited -= 1;
    if (failed) return void this.#stream.destroy();
    if (this.#awaited > 0) return;
    this.#bytes = 0;
    if (!this.#isFull) return;
    this.#isFull = false;
    this.#connection.drained();
  }

  tend(): void {
    const isStreamTimed = findTimeout(this.#stream, this.#isTimed);
    const isSessionTimed = findTimeout(this.#stream.session, this.#isTimed);
    this.#isTimed = isStreamTimed || isSessionTimed;
  }

  end(bytes: Uint8Array): void {
    endResponse(this.#gateway, this.#req, this.#res, this.#connection, bytes);
  }

  destroy(): void {
    this.#res.destroy();
  }
}
