import type { ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Connection, Sink } from '../hub/connection.ts';
import { LAST_CHUNK, toBuffer, toChunk } from './framing.ts';

/** What of a socket Node has no public name for. It has been so in all versions, but is looked at before use. */
interface Internals {
  _handle?: { readonly constructor: { readonly name: string } } | null;
  /** `incoming`: the request read last. */
  readonly parser?: { readonly incoming?: unknown } | null;
}

type SocketConstructor = new (options: object) => Socket;

/** A response that its socket is free for. */
export type PlainResponse = ServerResponse & { readonly socket: Socket };

/** Whether the socket carries nothing but this response, and is of the kind whose handle can be moved. */
export function canHijack({ req, socket }: PlainResponse): boolean {
  const { constructor, _handle: handle, parser } = socket as Internals & Socket;
  // TLS has a handle of another kind, which belongs to its socket.
  const isTcp = constructor === Socket && handle?.constructor.name === 'TCP';
  // A request that was sent behind this one would go with the old socket, unanswered.
  return isTcp && req.complete && parser?.incoming === req;
}

/**
 * Sends the response's head, then moves the connection to a socket of its own. The old socket is destroyed, empty, so
 * that `node:http` lets go of parser, request and response by its own means.
 *
 * @returns undefined if something of the head, or of a response before this one, is left to be sent.
 */
export function hijackSocket(res: PlainResponse): Socket | undefined {
  const { socket } = res;
  const { bytesWritten } = socket;
  res.flushHeaders();
  if (socket.bytesWritten === bytesWritten || socket.writableLength > 0) return undefined;
  // This makes the parser give the input back to the socket, which it reads by itself otherwise.
  socket.on('data', ignore);
  const old: Internals = socket as Internals & Socket;
  const { _handle: handle } = old;
  old._handle = null;
  socket.destroy();
  return new (Socket as SocketConstructor)({ handle, allowHalfOpen: false, readable: true, writable: true });
}

function ignore(): void {}

const CONNECTION: unique symbol = Symbol('connection');

interface StreamSocket extends Socket {
  [CONNECTION]?: Connection;
}

/** Writes to a socket that is the stream's alone, and keeps no closure for it. */
export class HijackedSink implements Sink {
  readonly #socket: Socket;
  readonly #chunked: boolean;

  constructor(socket: StreamSocket, chunked: boolean, connection: Connection) {
    this.#socket = socket;
    this.#chunked = chunked;
    socket[CONNECTION] = connection;
    socket.on('drain', onDrain);
    socket.on('close', onClose);
    // A reset peer: `close` follows, and it is no news that peers vanish.
    socket.on('error', ignore);
    // Only by reading can it be noticed that a peer leaves.
    socket.on('data', refuse);
  }

  write(bytes: Uint8Array): boolean {
    if (!this.#socket.writable) return false;
    return this.#socket.write(this.#frame(bytes));
  }

  end(bytes: Uint8Array): void {
    if (this.#socket.writable) this.#socket.write(this.#frame(bytes));
    if (this.#chunked) this.#socket.end(LAST_CHUNK);
    else this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #frame(bytes: Uint8Array): Buffer {
    return this.#chunked ? toChunk(bytes) : toBuffer(bytes);
  }
}

/** What else a peer sends can't be answered on a stream without end; closing tells it to send that elsewhere. */
function refuse(this: StreamSocket): void {
  this.destroy();
}

function onDrain(this: StreamSocket): void {
  this[CONNECTION]?.drained();
}

function onClose(this: StreamSocket): void {
  this[CONNECTION]?.closed();
}
