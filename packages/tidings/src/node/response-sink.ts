import { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Sink } from '../hub/delivery/sink.ts';
import type { Gateway, OwnConnection } from '../hub/gateway.ts';
import type { PlainResponse } from './hijack.ts';
import type { NodeRequest, NodeResponse } from './node-stream.ts';
import { carrierOf, streamBegan, streamEnded } from './stream-limit.ts';

/** Other runtimes imitate `node:http`, but not what happens between a response and its socket (Bun sends no chunks). */
const isNode = process.versions['bun'] === undefined && process.versions['deno'] === undefined;

/** Whether everything written to the response goes to its socket and nowhere else. */
export function isPlain(res: NodeResponse): res is PlainResponse {
  return (
    isNode &&
    res instanceof ServerResponse &&
    res.write === ServerResponse.prototype.write &&
    res.socket !== null
  );
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

export function endWithResponse(connection: OwnConnection, req: NodeRequest, res: NodeResponse): void {
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
export class ResponseSink implements Sink {
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

export function endResponse(
  gateway: Gateway,
  req: NodeRequest,
  // HTTP/2's has the same methods, with overloads that TypeScript can't see to be the same.
  response: NodeResponse,
  connection: OwnConnection,
  bytes: Uint8Array,
): void {
  const res = response as ServerResponse;
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
