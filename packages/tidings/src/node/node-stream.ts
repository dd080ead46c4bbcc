import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { Socket } from 'node:net';
import type { Sink } from '../hub/delivery/sink.ts';
import type { Gateway, OwnConnection } from '../hub/gateway.ts';
import { CompressedSink } from '../http/compressed-sink.ts';
import { toBuffer, toChunk } from './framing.ts';
import { type Handle, type Writer, handleOf, handleOfStream, writeToHandle } from './handle.ts';
import { HijackedSink, canHijack, hijackSocket } from './hijack.ts';
import { Http2Sink } from './http2-sink.ts';
import type { Acceptance } from '../http/negotiation.ts';
import { ResponseSink, endResponse, endWithResponse, isPlain } from './response-sink.ts';
import { findTimeout, restart } from './timeouts.ts';

/** The arguments with which `node:http`, `node:https` and `node:http2` (its compatibility API) call a handler. */
export type NodeRequest = IncomingMessage | Http2ServerRequest;
export type NodeResponse = ServerResponse | Http2ServerResponse;

export interface SocketOptions {
  /**
   * Takes the socket over from `node:http` once the stream is open. `node:http` then keeps nothing of the request, and
   * an idle connection needs a third of the memory. For the app, `req` and `res` are over: they emit `close` when the
   * stream begins, only `onConnect` learns of its end, and `server.close()` doesn't wait for it; `hub.close()` does.
   * Only for HTTP/1.1 without TLS; elsewhere it has no effect. Default false.
   */
  readonly hijack?: boolean | undefined;
}

/** Sends the response's head, and lets the connection write its body. */
export function openStream(
  gateway: Gateway,
  req: NodeRequest,
  res: NodeResponse,
  { connection, headers, compression, greeting }: Acceptance,
  { hijack = false }: SocketOptions,
): void {
  setHeaders(res, headers);
  const hijacks = hijack && isPlain(res) && canHijack(res);
  // Otherwise a peer might send its next request on a socket that closes with the stream.
  if (hijacks) res.setHeader('connection', 'close');
  res.writeHead(200);
  // A server-wide socket timeout is meant for requests; the hub itself decides whether a stream is alive.
  req.socket.setTimeout(0);
  const sink = toSink(gateway, req, res, connection, hijacks);
  connection.open(compression === undefined ? sink : new CompressedSink(sink, compression.begin()), greeting);
}

function toSink(
  gateway: Gateway,
  req: NodeRequest,
  res: NodeResponse,
  connection: OwnConnection,
  hijacks: boolean,
): Sink {
  if ('stream' in res) {
    const handle = handleOfStream(res);
    if (handle !== undefined) return new Http2Sink(gateway, req, res, connection, handle);
  }
  if (!isPlain(res)) return new ResponseSink(gateway, req, res, connection);
  const hijacked = hijacks ? hijackSocket(res) : undefined;
  if (hijacked !== undefined) return new HijackedSink(hijacked, res.chunkedEncoding, connection);
  return new SocketSink(gateway, res, res.socket, connection);
}

/**
 * Writes the bytes that `node:http` would, to the socket or the handle beneath it: `res.write` frames the same bytes
 * again for each response and passes them on in four pieces, and `socket.write` touches many objects of the stream. The
 * head and the end still go through the response, which keeps its own state in step. Measured by the benchmark
 * `fanout`.
 */
class SocketSink implements Sink, Writer {
  // In the order of these lines they lie in memory: a write to the handle touches the first three alone (`fanout`).
  /** While bytes may go there: once the head has been sent, and until the app or the hub ends the response. */
  #open: Handle | undefined;
  readonly #frame: (bytes: Uint8Array) => Buffer;
  /** Whether the app has given the socket a timeout, when last looked. */
  #isTimed = false;
  readonly #gateway: Gateway;
  readonly #res: ServerResponse;
  readonly #socket: Socket;
  readonly #connection: OwnConnection;
  readonly #handle: Handle | undefined;
  #headSent = false;
  #isEnded = false;
  /** Writes through the response that haven't completed. */
  #held = 0;

  constructor(gateway: Gateway, res: ServerResponse, socket: Socket, connection: OwnConnection) {
    // HTTP/1.0 has no chunks.
    this.#frame = res.chunkedEncoding ? toChunk : toBuffer;
    this.#gateway = gateway;
    this.#res = res;
    this.#socket = socket;
    this.#connection = connection;
    this.#handle = handleOf(socket);
    endWithResponse(connection, res.req, res);
    res.on('prefinish', () => {
      this.#isEnded = true;
      this.#open = undefined;
    });
    if (this.#handle === undefined) this.#listen();
  }

  #listen(): void {
    const onDrain = (): void => this.#connection.drained();
    this.#socket.on('drain', onDrain);
    // The socket may go on to serve other requests.
    this.#connection.onClose(() => void this.#socket.off('drain', onDrain));
  }

  write(bytes: Uint8Array): boolean {
    if (this.#open === undefined) return this.#writeToSocket(bytes);
    const written = writeToHandle(this.#open, this.#frame(bytes), this);
    if (written === 'failed') this.#socket.destroy();
    if (this.#isTimed) restart(this.#socket);
    return written === 'sent';
  }

  #writeToSocket(bytes: Uint8Array): boolean {
    if (!this.#headSent) return this.#writeAfterHead(bytes);
    // Once the app has ended the response or the socket is closing, `close` follows; bytes written now would be out of
    // place.
    if (this.#isEnded) return false;
    return this.#socket.writable && this.#socket.write(this.#frame(bytes));
  }

  written(failed: boolean): void {
    if (failed) this.#socket.destroy();
    else this.#connection.drained();
  }

  tend(): void {
    if (this.#open !== undefined) this.#isTimed = findTimeout(this.#socket, this.#isTimed);
  }

  /** The response may hold the head back, and what follows it, until the end of the tick. */
  #writeAfterHead(bytes: Uint8Array): boolean {
    this.#held += 1;
    return this.#res.write(bytes, () => {
      this.#held -= 1;
      if (this.#held > 0) return;
      this.#headSent = true;
      if (!this.#isEnded) this.#open = this.#handle;
      this.#connection.drained();
    });
  }

  end(bytes: Uint8Array): void {
    endResponse(this.#gateway, this.#res.req, this.#res, this.#connection, bytes);
  }

  destroy(): void {
    this.#res.destroy();
  }
}

export function setHeaders(res: NodeResponse, headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) setHeader(res, name, value);
}

/** `vary` is added to the value that middleware has set; every other header replaces it. */
function setHeader(res: NodeResponse, name: string, value: string): void {
  const present = name === 'vary' ? res.getHeader(name) : undefined;
  res.setHeader(name, present === undefined ? value : [present, value].flat().join(', '));
}
