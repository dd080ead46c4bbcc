import type { Http2ServerResponse, ServerHttp2Stream } from 'node:http2';
import type { Sink } from '../hub/delivery/sink.ts';
import type { Gateway, OwnConnection } from '../hub/gateway.ts';
import { toBuffer } from './framing.ts';
import { type Handle, type Writer, writeToHandle } from './handle.ts';
import type { NodeRequest } from './node-stream.ts';
import { endResponse, endWithResponse } from './response-sink.ts';

/** As its types don't have it. Milliseconds; 0 if there is none. */
interface WithTimeout {
  readonly timeout?: number;
  setTimeout(milliseconds: number): void;
}

/** Bytes that may wait in a stream before it takes no more. */
const MAX_PENDING = 65_536;

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
  /** Writes that haven't completed, and the bytes of all since there were none. */
  #writes = 0;
  #bytes = 0;

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
    const written = writeToHandle(this.#handle, chunk, this);
    // The app may have set them since: neither notices writes to a handle.
    restart(stream.session);
    restart(stream);
    if (written === 'sent') return true;
    if (written === 'failed') {
      stream.destroy();
      return false;
    }
    this.#writes += 1;
    this.#bytes += chunk.length;
    this.#isFull = this.#bytes >= MAX_PENDING;
    return !this.#isFull;
  }

  written(failed: boolean): void {
    this.#writes -= 1;
    if (failed) return void this.#stream.destroy();
    if (this.#writes > 0) return;
    this.#bytes = 0;
    if (!this.#isFull) return;
    this.#isFull = false;
    this.#connection.drained();
  }

  end(bytes: Uint8Array): void {
    endResponse(this.#gateway, this.#req, this.#res, this.#connection, bytes);
  }

  destroy(): void {
    this.#res.destroy();
  }
}

function restart(timed: WithTimeout | undefined): void {
  if (timed?.timeout) timed.setTimeout(timed.timeout);
}
