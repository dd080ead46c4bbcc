import type { ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Sink } from '../hub/delivery/sink.ts';
import type { OwnConnection } from '../hub/gateway.ts';
import { LAST_CHUNK, toBuffer, toChunk } from './framing.ts';
import { type Handle, type Writer, handleOf, writeToHandle } from './handle.ts';

/** Parts of a socket that aren't public. Every version of Node has had them, but the code checks before use. */
interface Internals {
  _handle?: object | null;
  /** `incoming`: the latest request that was read. `getCurrentBuffer`: the bytes that are being read right now. */
  readonly parser?: { readonly incoming?: unknown; readonly getCurrentBuffer?: () => Uint8Array } | null;
}

/** A response whose turn on its socket has come. */
export type PlainResponse = ServerResponse & { readonly socket: Socket };

/** Whether the socket carries nothing but this response, and is of the kind whose handle can be taken. */
export function canHijack({ req, socket }: PlainResponse): boolean {
  const { parser } = socket as Internals & Socket;
  // A request sent behind this one would go down with the old socket, unanswered.
  return handleOf(socket) !== undefined && req.complete && parser?.incoming === req && !isReading(socket);
}

/**
 * Whether Node is still reading what came over the socket. Promises settle in between, such as when the next request has many
 * headers; if the socket were taken then, Node would go on with a parser that it has given back, and throw where nobody
 * catches it.
 */
export function isReading(socket: Socket | null | undefined): boolean {
  const parser = socket ? (socket as Internals & Socket).parser : undefined;
  return parser?.getCurrentBuffer === undefined || parser.getCurrentBuffer().length > 0;
}

/**
 * Sends the response's head, then takes the connection's handle. The socket, now empty, is destroyed, which makes
 * `node:http` release parser, request and response itself.
 *
 * @returns undefined if a part of the head, or of an earlier response, is still to be sent.
 */
export function hijackSocket(res: PlainResponse): Handle | undefined {
  const { socket } = res;
  const handle = handleOf(socket);
  const { bytesWritten } = socket;
  res.flushHeaders();
  const isLeft = socket.bytesWritten === bytesWritten || socket.writableLength > 0;
  if (handle === undefined || isLeft) return undefined;
  // This makes the parser hand the input back to the socket; otherwise it reads the handle itself.
  socket.on('data', ignore);
  (socket as Internals)._handle = null;
  socket.destroy();
  disown(handle, socket);
  return handle;
}

/** The handle refers to its socket by a symbol of Node's own. */
function disown(handle: Handle, socket: Socket): void {
  const properties = handle as object as Record<symbol, unknown>;
  for (const symbol of Object.getOwnPropertySymbols(handle)) {
    if (properties[symbol] === socket) properties[symbol] = undefined;
  }
}

function ignore(): void {}

const SINK: unique symbol = Symbol('sink');

interface StreamHandle extends Handle {
  [SINK]?: HijackedSink;
}

/** Writes to a handle that belongs to the stream alone: an idle stream has neither socket nor listeners. */
export class HijackedSink implements Sink, Writer {
  readonly #chunked: boolean;
  readonly #connection: OwnConnection;
  /** Until the stream ends. */
  #handle: StreamHandle | undefined;
  /** From then on, if it ends with a goodbye. */
  #socket: Socket | undefined;

  constructor(handle: StreamHandle, chunked: boolean, connection: OwnConnection) {
    this.#chunked = chunked;
    this.#connection = connection;
    this.#handle = handle;
    handle[SINK] = this;
    // Only reading reveals that a peer has left.
    handle.onread = leave;
    handle.readStop();
    if (handle.readStart() < 0) this.destroy();
  }

  write(bytes: Uint8Array): boolean {
    if (this.#handle === undefined) return false;
    const written = writeToHandle(this.#handle, this.#frame(bytes), this);
    if (written === 'failed') this.destroy();
    return written === 'sent';
  }

  written(failed: boolean): void {
    if (failed) this.destroy();
    else this.#connection.drained();
  }

  end(bytes: Uint8Array): void {
    if (this.#handle === undefined) return;
    this.#socket = toSocket(this.#handle);
    this.#handle = undefined;
    this.#socket.on('close', () => this.#connection.closed());
    this.#socket.write(this.#frame(bytes));
    if (this.#chunked) this.#socket.end(LAST_CHUNK);
    else this.#socket.end();
  }

  destroy(): void {
    this.#handle?.close(() => this.#connection.closed());
    this.#handle = undefined;
    this.#socket?.destroy();
  }

  #frame(bytes: Uint8Array): Buffer {
    return this.#chunked ? toChunk(bytes) : toBuffer(bytes);
  }
}

/**
 * The peer has gone. Or it sent another request, which can't be answered behind an endless stream: closed, it asks
 * elsewhere.
 */
function leave(this: StreamHandle): void {
  this[SINK]?.destroy();
}

/** A socket for the end, which takes more than writing: waiting until everything is sent and the peer ends its side. */
function toSocket(handle: Handle): Socket {
  handle.readStop();
  handle.reading = false;
  const socket = new (Socket as new (options: object) => Socket)({
    handle,
    allowHalfOpen: false,
    readable: true,
    writable: true,
  });
  // The peer reset the connection: `close` follows, and a peer that vanishes is nothing to report.
  socket.on('error', ignore);
  socket.on('data', () => socket.destroy());
  return socket;
}
