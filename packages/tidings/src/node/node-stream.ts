import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { Socket } from 'node:net';
import type { Sink } from '../hub/delivery/sink.ts';
import type { Gateway, OwnConnection } from '../hub/gateway.ts';
import { CompressedSink } from '../http/compressed-sink.ts';
import { toBuffer, toChunk } from './framing.ts';
import { type Handle, type Writer, handleOf, writeToHandle } from './handle.ts';
import { HijackedSink, type PlainResponse, canHijack, hijackSocket } from './hijack.ts';
import type { Acceptance } from '../http/negotiation.ts';
import { carrierOf, streamBegan, streamEnded } from './stream-limit.ts';

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

/** Other runtimes imitate `node:http`, but not what happens between a response and its socket (Bun sends no chunks). */
const isNode = process.versions['bun'] === undefined && process.versions['deno'] === undefined;

/** Whether everything written to the response goes to its socket and nowhere else. */
function isPlain(res: NodeResponse): res is PlainResponse {
  return (
    isNode &&
    res instanceof ServerResponse &&
    res.write === ServerResponse.prototype.write &&
    res.socket !== null
  );
}

function toSink(
  gateway: Gateway,
  req: NodeRequest,
  res: NodeResponse,
  connection: OwnConnection,
  hijacks: boolean,
): Sink {
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
  readonly #gateway: Gateway;
  readonly #res: ServerResponse;
  readonly #socket: Socket;
  readonly #connection: OwnConnection;
  readonly #frame: (bytes: Uint8Array) => Buffer;
  readonly #handle: Handle | undefined;
  #headSent = false;
  #isEnded = false;
  /** Writes through the response that haven't completed. */
  #held = 0;

  constructor(gateway: Gateway, res: ServerResponse, socket: Socket, connection: OwnConnection) {
    this.#gateway = gateway;
    this.#res = res;
    this.#socket = socket;
    this.#connection = connection;
    // HTTP/1.0 has no chunks.
    this.#frame = res.chunkedEncoding ? toChunk : toBuffer;
    this.#handle = handleOf(socket);
    endWithResponse(connection, res.req, res);
    // Saves reading `res.writableEnded` each time: every extra object a write touches costs a few percent (`fanout`).
    res.on('prefinish', () => (this.#isEnded = true));
    if (this.#handle === undefined) this.#listen();
  }

  #listen(): void {
    const onDrain = (): void => this.#connection.drained();
    this.#socket.on('drain', onDrain);
    // The socket may go on to serve other requests.
    this.#connection.onClose(() => void this.#socket.off('drain', onDrain));
  }

  write(bytes: Uint8Array): boolean {
    if (!this.#headSent) return this.#writeAfterHead(bytes);
    // Once the app has ended the response or the socket is closing, `close` follows; bytes written now would be out of
    // place.
    if (this.#isEnded) return false;
    const chunk = this.#frame(bytes);
    if (this.#handle !== undefined) {
      const written = writeToHandle(this.#handle, chunk, this);
      if (written === 'failed') this.#socket.destroy();
      // The app may have set it since: the socket itself doesn't notice writes to its handle.
      if (this.#socket.timeout) this.#socket.setTimeout(this.#socket.timeout);
      return written === 'sent';
    }
    return this.#socket.writable && this.#socket.write(chunk);
  }

  written(failed: boolean): void {
    if (failed) this.#socket.destroy();
    else this.#connection.drained();
  }

  /** The response may hold the head back, and what follows it, until the end of the tick. */
  #writeAfterHead(bytes: Uint8Array): boolean {
    this.#held += 1;
    return this.#res.write(bytes, () => {
      this.#held -= 1;
      if (this.#held > 0) return;
      this.#headSent = true;
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

/** HTTP/1.1 pipelining: the response waits until those before it on its socket are over. */
function isQueued(req: NodeRequest, res: NodeResponse): boolean {
  return req.httpVersionMajor < 2 && res.socket === null;
}

/** A queued response doesn't notice when its socket closes. */
function endWithSocket(connection: OwnConnection, socket: Socket): void {
  const onClose = (): void => connection.closed();
  // A peer may send any number of requests ahead: that many listeners are no leak.
  socket.setMaxListeners(socket.getMaxListeners() + 1);
  socket.on('close', onClose);
  connection.onClose(() => {
    socket.off('close', onClose);
    socket.setMaxListeners(socket.getMaxListeners() - 1);
  });
}

function endWithResponse(connection: OwnConnection, req: NodeRequest, res: NodeResponse): void {
  const carrier = carrierOf(req);
  streamBegan(carrier);
  res.on('close', () => {
    streamEnded(carrier);
    connection.closed();
  });
  // A reset peer: `close` follows, and it is no news that peers vanish.
  res.on('error', ignore);
}

function ignore(): void {}

/** Leaves the framing to the response: HTTP/2, a queued response, or one that middleware writes through. */
class ResponseSink implements Sink {
  readonly #gateway: Gateway;
  readonly #req: NodeRequest;
  // HTTP/2's response has the same methods, with overloads that TypeScript can't see to be the same.
  readonly #res: ServerResponse;
  readonly #connection: OwnConnection;

  constructor(gateway: Gateway, req: NodeRequest, res: NodeResponse, connection: OwnConnection) {
    this.#gateway = gateway;
    this.#req = req;
    this.#res = res as ServerResponse;
    this.#connection = connection;
    endWithResponse(connection, req, res);
    res.on('drain', () => connection.drained());
    if (isQueued(req, res)) endWithSocket(connection, req.socket);
  }

  write(bytes: Uint8Array): boolean {
    return this.#res.write(bytes);
  }

  end(bytes: Uint8Array): void {
    endResponse(this.#gateway, this.#req, this.#res, this.#connection, bytes);
  }

  destroy(): void {
    const queued = isQueued(this.#req, this.#res);
    (queued ? this.#req.socket : this.#res).destroy();
  }
}

function endResponse(
  gateway: Gateway,
  req: NodeRequest,
  res: ServerResponse,
  connection: OwnConnection,
  bytes: Uint8Array,
): void {
  if (res.writableEnded || res.destroyed) return connection.closed();
  endOf(req, res).call(res, bytes, () => {
    // A socket kept for another request would hold up a server that is closing.
    if (gateway.closing) release(req);
  });
}

type End = (this: ServerResponse, bytes: Uint8Array, onEnd: () => void) => unknown;

/**
 * `express-session` stores the session when a response ends. With a stream, that may be long after the user has signed
 * out, and would sign them in again.
 */
function endOf(req: NodeRequest, res: ServerResponse): End {
  return 'sessionStore' in req && isPlain(res) ? ServerResponse.prototype.end : res.end;
}

/** Lets the socket go once it has sent everything; a session of HTTP/2, once its other streams are over. */
export function release(req: NodeRequest): void {
  if ('stream' in req) req.stream.session?.close();
  else req.socket.destroySoon();
}

export function setHeaders(res: NodeResponse, headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) setHeader(res, name, value);
}

/** `vary` is added to the value that middleware has set; every other header replaces it. */
function setHeader(res: NodeResponse, name: string, value: string): void {
  const present = name === 'vary' ? res.getHeader(name) : undefined;
  res.setHeader(name, present === undefined ? value : [present, value].flat().join(', '));
}
