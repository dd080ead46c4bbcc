import type { ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Sink } from '../hub/delivery/sink.ts';
import type { OwnConnection } from '../hub/gateway.ts';
import { LAST_CHUNK, toBuffer, toChunk } from './framing.ts';
import { type Handle, type Writer, handleOf, writeToHandle } from './handle.ts';

/** What of a socket Node has no public name for. It has been so in all versions, but is looked at before use. */
interface Internals {
  _handle?: object | null;
  /** `incoming`: the request read last. */
  readonly parser?: { readonly incoming?: unknown } | null;
}

/** A response that its socket is free for. */
export type PlainResponse = ServerResponse & { readonly socket: Socket };

/** Whether the socket carries nothing but this response, and is of the kind whose handle can be taken. */
export function canHijack({ req, socket }: PlainResponse): boolean {
  const { parser } = socket as Internals & Socket;
  // A request that was sent behind this one would go with the old socket, unanswered.
  return handleOf(socket) !== undefined && req.complete && parser?.incoming === req;
}

/**
 * Sends the response's head, then takes the connection's handle. The socket is destroyed, empty, so that `node:http`
 * lets go of parser, request and response by its own means.
 *
 * @returns undefined if something of the head, or of a response before this one, is left to be sent.
 */
export function hijackSocket(res: PlainResponse): Handle | undefined {
  const { socket } = res;
  const handle = handleOf(socket);
  const { bytesWritten } = socket;
  res.flushHeaders();
  const isLeft = socket.bytesWritten === bytesWritten || socket.writableLength > 0;
  if (handle === undefined || isLeft) return undefined;
  // This makes the parser give the input back to the socket, which it reads by itself otherwise.
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

/** Writes to a handle that is the stream's alone, so that an idle stream has neither socket nor listeners. */
export class HijackedSink implements Sink, Writer {
  readonly #chunked: boolean;
  readonly #connection: OwnConnection;
  /** Until the stream ends. */
  #handle: StreamHandle | undefined;
  /** From then on, if it ends with a word. */
  #socket: Socket | undefined;

  constructor(handle: StreamHandle, chunked: boolean, connection: OwnConnection) {
    this.#chunked = chunked;
    this.#connection = connection;
    this.#handle = handle;
    handle[SINK] = this;
    // Only by reading can it be noticed that a peer leaves.
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

/** The peer has gone; or it sends more, which can't be answered on a stream without end: so it will elsewhere. */
function leave(this: StreamHandle): void {
  this[SINK]?.destroy();
}

/** For the end, which takes more than writing: to wait until all is sent, and for the peer to end its side. */
function toSocket(handle: Handle): Socket {
  handle.readStop();
  handle.reading = false;
  const socket = new (Socket as new (options: object) => Socket)({
    handle,
    allowHalfOpen: false,
    readable: true,
    writable: true,
  });
  // A reset peer: `close` follows, and it is no news that peers vanish.
  socket.on('error', ignore);
  socket.on('data', () => socket.destroy());
  return socket;
}
