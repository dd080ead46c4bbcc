import { Socket } from 'node:net';

/**
 * What is beneath a `net.Socket` of TCP or of a Unix socket. Node has no public name for it, so nothing here is taken
 * for granted: see `knownWrite`.
 */
export interface Handle {
  /** Called with what the peer sent, or with nothing at its end. */
  onread: (this: Handle, bytes?: ArrayBuffer) => void;
  /** Bytes that the kernel has not taken yet. */
  readonly writeQueueSize: number;
  /** Noted by a socket: whether it has called `readStart`. */
  reading?: boolean;
  readStart(): number;
  readStop(): number;
  /** @returns 0, or the negative number of an error; from Node 26.10 on, the request if not all is sent yet. */
  writeBuffer(request: WriteRequest | null, bytes: Buffer): number | WriteRequest;
  close(onClose: () => void): void;
}

/** A write that the kernel could not take all of at once. */
interface WriteRequest {
  oncomplete?: (status: number) => void;
  /** Keeps what is being written from being collected. */
  buffer?: Buffer;
  /** Set if it was over before anybody could listen. */
  readonly writeStatus?: number | null;
  /** Negative if it has not even begun. */
  getAsyncId?(): number;
}

/** Who writes. */
export interface Writer {
  /** After `pending`: the kernel has it all, or the peer is gone. */
  written(failed: boolean): void;
}

/** `sent`: the kernel has all of it. `pending`: it will have; `written` tells. `failed`: the peer is gone. */
type Written = 'sent' | 'pending' | 'failed';

/** Writes to a handle, after what was written to it or by its socket before. */
export type Write = (handle: Handle, bytes: Buffer, writer: Writer) => Written;

interface WithHandle {
  readonly _handle?: (Handle & { readonly constructor: { readonly name: string } }) | null;
}

/** @returns what a socket hands to its handle to be told of the end of a write; undefined if it does something else. */
function watchWrite(): WriteRequest | null | undefined {
  // Others imitate the names, and mean something else by them.
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
  const Request = request?.constructor as (new () => WriteRequest) | undefined;
  return Request?.name === 'WriteWrap' ? writeWith(Request) : undefined;
}

/** Node 20 to 26.9: a request is given, and used if the kernel could not take all. */
function writeWith(Request: new () => WriteRequest): Write {
  return (handle, bytes, writer) => {
    // One for many would save 2 %; but whether it is in use can't be told for certain, and Node aborts if it is.
    const request = new Request();
    if (handle.writeBuffer(request, bytes) !== 0) return 'failed';
    // Even if the request is in use, then nothing is left of it but that it is told so.
    if (handle.writeQueueSize === 0) return 'sent';
    awaitEnd(request, bytes, writer);
    return 'pending';
  };
}

/** From Node 26.10 on, a request is made where there is need of one. */
const writeWithoutRequest: Write = (handle, bytes, writer) => {
  const request = handle.writeBuffer(null, bytes);
  if (typeof request !== 'object') return request === 0 ? 'sent' : 'failed';
  // Behind what is pending on a handle that closes: nobody would be told.
  if ((request.getAsyncId?.() ?? 0) < 0) return 'failed';
  // Over already, while it was made.
  if (typeof request.writeStatus === 'number') return request.writeStatus < 0 ? 'failed' : 'sent';
  awaitEnd(request, bytes, writer);
  return 'pending';
};

function awaitEnd(request: WriteRequest, bytes: Buffer, writer: Writer): void {
  request.buffer = bytes;
  request.oncomplete = (status) => writer.written(status < 0);
}

/**
 * As this Node's own sockets write to their handle, found by watching one do it: the names are as old as handles, the
 * way requests are made is not. Undefined if it is no way that is known here; then sockets are what there is to write
 * to.
 */
const knownWrite: Write | undefined = chooseWrite(watchWrite());

/**
 * The handle of a socket, if it is one whose bytes go to the kernel as they are (TLS has another kind), can be written
 * to, and nobody wants to see what is written to the socket.
 */
export function handleOf(socket: Socket): Handle | undefined {
  const { _handle: handle } = socket as Socket & WithHandle;
  const isPlain = socket.constructor === Socket && socket.write === Socket.prototype.write;
  if (knownWrite === undefined || !isPlain || !handle) return undefined;
  return ['TCP', 'Pipe'].includes(handle.constructor.name) ? handle : undefined;
}

export const writeToHandle: Write = knownWrite ?? (() => 'failed');
