import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { Socket } from 'node:net';
import type { Connection, Sink } from '../hub/connection.ts';
import type { Hub } from '../hub/hub.ts';
import { TidingsError } from '../protocol/errors.ts';
import { readJson } from './body.ts';
import { assertHandlerOptions } from './check-options.ts';
import type { HandlerOptions } from './handler-options.ts';
import { type Acceptance, type Answer, negotiate } from './negotiation.ts';
import { toProblem } from './problem.ts';

/** What `node:http`, `node:https` and `node:http2` (its compatibility API) call a handler with. */
export type NodeRequest = IncomingMessage | Http2ServerRequest;
export type NodeResponse = ServerResponse | Http2ServerResponse;

export interface NodeHandlerOptions<Req> extends HandlerOptions<Req> {
  /**
   * Takes what the app's own functions threw, after the request was answered 500. Default: writes it to the
   * console.
   */
  readonly onError?: (error: unknown, req: Req) => void;
}

/**
 * Serves the hub's events to `(req, res)`: plain `node:http`, `https`, `http2`, Koa (`ctx.req`, `ctx.res`), Fastify
 * (`request.raw`, `reply.raw` after `reply.hijack()`).
 *
 * Mount it for all methods: a POST changes an open connection, and browsers ask for permission with OPTIONS.
 *
 * @throws {TidingsError} `hub/invalid-option`.
 */
export function sse<Req extends NodeRequest = NodeRequest>(
  hub: Hub,
  options: NodeHandlerOptions<Req> = {},
): (req: Req, res: NodeResponse) => void {
  const { onError = (error: unknown) => console.error('tidings:', error) } = options;
  const handle = createNodeHandler(hub, options);
  return (req, res) => {
    void handle(req, res).catch((error: unknown) => {
      const failure = new TidingsError('request/handler-failed', 'The server failed to handle the request.', {
        status: 500,
      });
      sendAnswer(req, res, toProblem(failure));
      onError(error, req);
    });
  };
}

/**
 * For adapters of frameworks that handle errors themselves. Resolves once the stream is open or the request answered;
 * rejects with what the app's own functions threw.
 */
export function createNodeHandler<Req extends NodeRequest>(
  hub: Hub,
  options: HandlerOptions<Req>,
): (req: Req, res: NodeResponse) => Promise<void> {
  assertHandlerOptions(hub, options);
  return async (req, res) => {
    const facts = {
      method: req.method ?? 'GET',
      query: queryOf(req.url ?? ''),
      header: (name: string) => headerOf(req, name),
      remote: options.address === undefined ? req.socket.remoteAddress : options.address(req),
      protocol: `HTTP/${req.httpVersion}`,
      json: () => readBody(req),
      gone: () => isSettled(req, res),
    };
    const begin = (acceptance: Acceptance): void => openStream(hub, req, res, acceptance);
    const outcome = await negotiate(hub, options, facts, req, begin);
    if ('answer' in outcome) sendAnswer(req, res, outcome.answer);
  };
}

function openStream(
  hub: Hub,
  req: NodeRequest,
  res: NodeResponse,
  { connection, headers, greeting }: Acceptance,
): void {
  for (const [name, value] of Object.entries(headers)) setHeader(res, name, value);
  res.writeHead(200);
  // A server-wide socket timeout is about requests; whether a stream is alive is for the hub to say.
  req.socket.setTimeout(0);
  res.on('drain', () => connection.drained());
  res.on('close', () => connection.closed());
  // A reset peer: `close` follows, and it is no news that peers vanish.
  res.on('error', () => connection.closed());
  if (isQueued(req, res)) endWithSocket(connection, req.socket);
  connection.open(toSink(hub, req, res, connection), greeting);
}

/** HTTP/1.1 pipelining: the response waits until those before it on its socket are over. */
function isQueued(req: NodeRequest, res: NodeResponse): boolean {
  return req.httpVersionMajor < 2 && res.socket === null;
}

/** A queued response isn't told when its socket goes. */
function endWithSocket(connection: Connection, socket: Socket): void {
  const onClose = (): void => connection.closed();
  // A peer may send any number of requests ahead, and that is no leak.
  socket.setMaxListeners(socket.getMaxListeners() + 1);
  socket.on('close', onClose);
  connection.onClose(() => {
    socket.off('close', onClose);
    socket.setMaxListeners(socket.getMaxListeners() - 1);
  });
}

function toSink(hub: Hub, req: NodeRequest, res: NodeResponse, connection: Connection): Sink {
  // HTTP/2's response has the same methods, with overloads that TypeScript can't see to be the same.
  const stream = res as ServerResponse;
  return {
    write: (bytes) => stream.write(bytes),
    end: (bytes) => {
      if (stream.writableEnded || stream.destroyed) connection.closed();
      else stream.end(bytes, () => hub.closing && closeSocket(req));
    },
    destroy: () => void (isQueued(req, res) ? req.socket : stream).destroy(),
  };
}

/** Kept for another request, the socket would hold up a server that closes. */
function closeSocket(req: NodeRequest): void {
  if (req.httpVersionMajor < 2) req.socket.destroySoon();
}

function sendAnswer(req: NodeRequest, res: NodeResponse, { status, headers, body }: Answer): void {
  if (isSettled(req, res)) return;
  for (const [name, value] of Object.entries(headers)) setHeader(res, name, value);
  // Nobody reads what else the peer sends, so the socket can't serve another request.
  if (req.httpVersionMajor < 2 && !req.complete) res.setHeader('connection', 'close');
  res.writeHead(status);
  const text = req.method === 'HEAD' ? '' : body;
  // RFC 9113 §8.1: with the answer complete the request is over too, whatever was still to come of it.
  if ('stream' in res) res.end(text, () => res.stream.close());
  else res.end(text);
}

/** Whether nobody waits for our answer any more: the peer has left, or something else has answered. */
function isSettled(req: NodeRequest, res: NodeResponse): boolean {
  if (res.headersSent || res.writableEnded) return true;
  // HTTP/2's response doesn't say so itself, and HTTP/1.1's doesn't know while it is queued.
  return 'stream' in res ? res.stream.destroyed || res.stream.closed : res.destroyed || req.socket.destroyed;
}

/** `vary` adds to what middleware has put there; all others replace. */
function setHeader(res: NodeResponse, name: string, value: string): void {
  const present = name === 'vary' ? res.getHeader(name) : undefined;
  res.setHeader(name, present === undefined ? value : [present, value].flat().join(', '));
}

/** Middleware such as `express.json()` may have read it already. */
async function readBody(req: NodeRequest): Promise<unknown> {
  const { body } = req as { body?: unknown };
  if (typeof body === 'string') return readJson([Buffer.from(body)]);
  if (body instanceof Uint8Array) return readJson([body]);
  return typeof body === 'object' && body !== null
    ? body
    : readJson(req.iterator({ destroyOnReturn: false }));
}

function headerOf(req: NodeRequest, name: string): string | undefined {
  const value = req.headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

function queryOf(url: string): URLSearchParams {
  const start = url.indexOf('?');
  return new URLSearchParams(start === -1 ? '' : url.slice(start + 1));
}
