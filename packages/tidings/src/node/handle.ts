import type { Http2ServerResponse } from 'node:http2';
import { Socket } from 'node:net';

/**
 * The handle beneath a `net.Socket` of TCP or of a Unix socket. It is no public part of Node, so nothing here is taken
 * for granted: see `knownWrite`.
 */
export interface Handle {
  /** Called with the bytes that the peer sent, and without any at its end. */
  onread: (this: Handle, bytes?: ArrayBuffer) => void;
  /** Bytes that the kernel has not taken yet. */
  readonly writeQueueSize: number;
  /** Set by a socket: whether it has called `readStart`. */
  reading?: boolean;
  readStart(): number;
  readStop(): number;
  /** @returns 0, or the negative number of an error; from Node 26.10 on, the request if not all is sent yet. */
  writeBuffer(request: WriteRequest | null, bytes: Buffer): number | WriteRequest;
  close(onClose: () => void): void;
}

/** A write of which the kernel couldn't take everything at once. */
interface WriteRequest {
  /** Without one, Node doesn't call back, which saves a tenth of a write to a stream of HTTP/2 (`http2`). */
  oncomplete?: (this: WriteRequest, status: number) => void;
  /** For `complete`. */
  writer?: Writer;
  /** Keeps the bytes being written from being garbage collected. */
  buffer?: Buffer;
  /** Set if the write ended before anybody could listen. */
  readonly writeStatus?: number | null;
  /** Negative if the write never began. */
  getAsyncId?(): number;
}

/** One that the caller makes. */
interface OwnRequest extends WriteRequest {
  getAsyncId(): number;
}

/** The sink that writes. */
export interface Writer {
  /** Called after `pending`, once the kernel has everything or the peer is gone. */
  written(failed: boolean): void;
}

/** `sent`: the kernel has everything. `pending`: `written` will say when it does. `failed`: the peer is gone. */
type Written = 'sent' | 'pending' | 'failed';

/**
 * Writes to a handle, after everything that was written before to it or to its socket. Writes end in their order, so not
 * each of them needs a `writer`.
 */
export type Write = (handle: Handle, bytes: Buffer, writer: Writer | undefined) => Written;

interface WithHandle {
  readonly _handle?: (Handle & { readonly constructor: { readonly name: string } }) | null;
}

/**
 * @returns what a socket passes to its handle to learn of a write's end; undefined if this runtime does it differently.
 */
function watchWrite(): WriteRequest | null | undefined {
  // Other runtimes imitate the names, but mean something else by them.
  if (process.versions.deno !== undefined || process.versions.bun !== undefined) return undefined;
  let request: WriteRequest | null | undefined;
  const spy: Partial<Handle> = {
    readStart: () => 0,
    readStop: () => 0,
    writeBuffer: (given) => {
      request = given;
      return 0;
    },
    close: (onClose) => onClose(),
  };
  const socket = new (Socket as new (options: object) => Socket)({ handle: spy });
  socket.write(Buffer.alloc(1));
  socket.destroy();
  return request;
}

function chooseWrite(request: WriteRequest | null | undefined): Write | undefined {
  if (request === null) return writeWithoutRequest;
  const Request = request?.constructor as (new () => OwnRequest) | undefined;
  if (Request?.name !== 'WriteWrap') return undefined;
  const canTell = typeof (Request.prototype as Partial<OwnRequest>).getAsyncId === 'function';
  return canTell && !isInUse(new Request()) ? writeWith(Request) : undefined;
}

/** Node 20 to 26.9: the caller passes a request, which is used if the kernel couldn't take everything. */
function writeWith(Request: new () => OwnRequest): Write {
  // Most writes leave it unused, and making one for each of them is 5 % of its cost (`fanout`).
  let spare = new Request();
  return (handle, bytes, writer) => {
    const request = spare;
    const isWritten = handle.writeBuffer(request, bytes) === 0;
    // Only Node's own word counts: with an empty queue it may have sent everything and yet use the request.
    if (isWritten && !isInUse(request)) return 'sent';
    spare = new Request();
    if (!isWritten) return 'failed';
    awaitEnd(request, bytes, writer);
    return 'pending';
  };
}

/** A request gets an id when a write takes it. To pass one that is in use aborts the process. */
function isInUse(request: OwnRequest): boolean {
  return request.getAsyncId() >= 0;
}

/** From Node 26.10 on, Node itself makes a request when it needs one. */
const writeWithoutRequest: Write = (handle, bytes, writer) => {
  const request = handle.writeBuffer(null, bytes);
  if (typeof request !== 'object') return request === 0 ? 'sent' : 'failed';
  // The handle is closing with writes pending: this one would never be reported.
  if ((request.getAsyncId?.() ?? 0) < 0) return 'failed';
  // The write ended while its request was being made.
  if (typeof request.writeStatus === 'number') return request.writeStatus < 0 ? 'failed' : 'sent';
  awaitEnd(request, bytes, writer);
  return 'pending';
};

function awaitEnd(request: WriteRequest, bytes: Buffer, writer: Writer | undefined): void {
  request.buffer = bytes;
  if (writer === undefined) return;
  request.writer = writer;
  request.oncomplete = complete;
}

function complete(this: WriteRequest, status: number): void {
  this.writer?.written(status < 0);
}

/**
 * How this Node's own sockets write to their handle, found by watching one do it: the names are as old as handles, but
 * the way requests are made has changed. Undefined if it is a way we don't know; streams are then written to sockets.
 */
const knownWrite: Write | undefined = chooseWrite(watchWrite());

/**
 * The handle of a socket. Undefined if its bytes don't go to the kernel unchanged (TLS), if it can't be written to, or
 * if something in the app observes what is written to the socket.
 */
export function handleOf(socket: Socket): Handle | undefined {
  const { _handle: handle } = socket as Socket & WithHandle;
  const isPlain = socket.constructor === Socket && socket.write === Socket.prototype.write;
  if (knownWrite === undefined || !isPlain || !handle) return undefined;
  return ['TCP', 'Pipe'].includes(handle.constructor.name) ? handle : undefined;
}

/**
 * The handle of a response's stream of HTTP/2, which is written to like a socket's. Undefined as above, or if middleware
 * has wrapped the response's `write`.
 */
export function handleOfStream(res: Http2ServerResponse): Handle | undefined {
  const { stream } = res;
  if (knownWrite === undefined || Object.hasOwn(res, 'write') || Object.hasOwn(stream, 'write'))
    return undefined;
  const key = Object.getOwnPropertySymbols(stream).find(({ description }) => description === 'kHandle');
  const handle = key && (stream as unknown as Record<symbol, WithHandle['_handle']>)[key];
  const isStream = handle?.constructor.name === 'Http2Stream' && typeof handle.writeBuffer === 'function';
  return isStream ? handle : undefined;
}

export const writeToHandle: Write = knownWrite ?? (() => 'failed');
