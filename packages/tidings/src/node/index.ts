import { gatewayOf } from '../hub/gateway.ts';
import type { Hub } from '../hub/hub.ts';
import { createError } from '../protocol/errors.ts';
import { readJson } from '../http/body.ts';
import { assertHandlerOptions } from '../http/check-options.ts';
import type { HandlerOptions } from '../http/handler-options.ts';
import { type Acceptance, type Answer, negotiate } from '../http/negotiation.ts';
import {
  type NodeRequest,
  type NodeResponse,
  type SocketOptions,
  openStream,
  setHeaders,
} from './node-stream.ts';
import { toProblem } from '../http/problem.ts';

export interface NodeHandlerOptions<Req> extends HandlerOptions<Req>, SocketOptions {
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
      const failure = createError('request/handler-failed', 'The server failed to handle the request.');
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
  options: HandlerOptions<Req> & SocketOptions,
): (req: Req, res: NodeResponse) => Promise<void> {
  const gateway = gatewayOf(hub);
  assertHandlerOptions(options);
  return async (req, res) => {
    if (res.headersSent) {
      const message =
        'The response has begun before the hub got it: does middleware answer, or send headers, first?';
      throw createError('request/already-answered', message);
    }
    const facts = {
      method: req.method ?? 'GET',
      query: queryOf(req.url ?? ''),
      header: (name: string) => headerOf(req, name),
      remote: options.address === undefined ? req.socket.remoteAddress : options.address(req),
      protocol: `HTTP/${req.httpVersion}`,
      json: () => readBody(req),
      gone: () => isSettled(req, res),
    };
    const begin = (acceptance: Acceptance): void => openStream(gateway, req, res, acceptance, options);
    const outcome = await negotiate(gateway, options, facts, req, begin);
    if ('answer' in outcome) sendAnswer(req, res, outcome.answer);
  };
}

function sendAnswer(req: NodeRequest, res: NodeResponse, { status, headers, body }: Answer): void {
  if (isSettled(req, res)) return;
  setHeaders(res, headers);
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

export type { NodeRequest, NodeResponse, SocketOptions };
