import type { IncomingMessage } from 'node:http';
import { type Gateway, gatewayOf } from '../hub/gateway.ts';
import type { Hub } from '../hub/hub.ts';
import { createError } from '../protocol/errors.ts';
import { type Check, type Checks, aBoolean } from '../protocol/options.ts';
import { checkAddress } from '../http/answers.ts';
import { bodyAlreadyRead, readJson } from '../http/body.ts';
import { assertHandlerOptions } from '../http/check-options.ts';
import type { HandlerOptions } from '../http/handler-options.ts';
import { type Acceptance, type Answer, type RequestFacts, negotiate } from '../http/negotiation.ts';
import { queryOf } from '../http/query.ts';
import { answerBeforeBody, isShort } from './early-answer.ts';
import { isReading } from './hijack.ts';
import { noteSession } from './sessions.ts';
import { assertRoomForStream } from './stream-limit.ts';
import {
  type NodeRequest,
  type NodeResponse,
  type SocketOptions,
  openStream,
  setHeaders,
} from './node-stream.ts';
import { release } from './response-sink.ts';

/** How an adapter reads its framework's requests. */
export interface Adapter<Req> {
  /** Its own options, besides those of every handler. */
  readonly checks?: Readonly<Record<string, Check>>;
  /** The peer's address, for apps without the option `address`. Default: the socket's. */
  readonly address?: (req: Req) => string | undefined;
  /** The body as the framework parsed it, if it has. */
  readonly body?: (req: Req) => unknown;
  /** Receives errors of the app's own functions when the hub has to answer by itself. Default: the hub's `onError`. */
  readonly report?: (error: unknown, req: Req) => void;
}

/**
 * Answers one request, given as the framework's and as Node's. Resolves once the stream is open or the request
 * answered; rejects with whatever the app's own functions threw, in which case `takeOver` wasn't called.
 *
 * `takeOver` makes the framework leave the response alone from then on.
 */
export type NodeHandler<Req> = (
  appRequest: Req,
  req: NodeRequest,
  res: NodeResponse,
  takeOver?: () => void,
) => Promise<void>;

export const SOCKET_OPTIONS: Checks<SocketOptions> = { hijack: aBoolean };

/**
 * For adapters of frameworks that handle errors themselves.
 *
 * @throws {TidingsError} `hub/invalid-option`.
 */
export function createNodeHandler<Req>(
  hub: Hub,
  options: HandlerOptions<Req> & SocketOptions,
  adapter: Adapter<Req> = {},
): NodeHandler<Req> {
  const gateway = gatewayOf(hub);
  assertHandlerOptions(options, { ...SOCKET_OPTIONS, ...adapter.checks });
  const address = options.address ?? adapter.address;
  const bodyOf = adapter.body ?? ((appRequest: Req) => (appRequest as { body?: unknown }).body);
  const report = adapter.report ?? ((error: unknown) => gateway.report(error));
  return async (appRequest, req, res, takeOver = () => {}) => {
    // A socket can only be taken once it isn't being read; mostly that is after this turn.
    if (options.hijack === true && req.method === 'GET' && !('stream' in req) && isReading(req.socket))
      await new Promise<void>((resolve) => void setImmediate(resolve));
    const facts = describe(gateway, req, res, {
      remote: address === undefined ? undefined : () => checkAddress(address(appRequest)),
      json: (remote) => readBody(req, bodyOf(appRequest), remote),
      report: (error) => report(error, appRequest),
    });
    const begin = (acceptance: Acceptance): void => {
      takeOver();
      openStream(gateway, req, res, acceptance, options);
    };
    const outcome = await negotiate(gateway, options, facts, appRequest, begin);
    if ('stream' in outcome) return;
    takeOver();
    if (!('answer' in outcome)) return;
    sendAnswer(req, res, outcome.answer, gateway.closing);
  };
}

/**
 * A request as `negotiate` wants it, for transports that answer by themselves; its address is the socket's.
 *
 * @throws {TidingsError} `request/already-answered`, `request/no-socket`.
 */
export function describeRequest(gateway: Gateway, req: NodeRequest, res: NodeResponse): RequestFacts {
  return describe(gateway, req, res, {
    remote: undefined,
    json: (remote) => readBody(req, undefined, remote),
    report: undefined,
  });
}

/** The facts that an adapter knows better than Node's request. */
interface Described extends Pick<RequestFacts, 'report'> {
  /** Default: the socket's. */
  readonly remote: (() => string | undefined) | undefined;
  readonly json: (remote: string | undefined) => Promise<unknown>;
}

function describe(
  gateway: Gateway,
  req: NodeRequest,
  res: NodeResponse,
  { remote, json, report }: Described,
): RequestFacts {
  assertAnswerable(req, res);
  noteSession(gateway, req);
  const address = remote === undefined ? req.socket.remoteAddress : remote();
  return {
    method: req.method ?? 'GET',
    query: queryOf(req.url ?? ''),
    header: (name: string) => headerOf(req, name),
    remote: address,
    protocol: `HTTP/${req.httpVersion}`,
    json: () => json(address),
    report,
    gone: () => isSettled(req, res),
    allowedOrigin: () => res.getHeader('access-control-allow-origin')?.toString(),
    assertRoom: () => assertRoomForStream(req, gateway.connectionsPerSession),
  };
}

/** @throws {TidingsError} `request/already-answered`, `request/no-socket`. */
function assertAnswerable(req: NodeRequest, res: NodeResponse): void {
  if (res.headersSent) {
    const message =
      'The response has begun before the hub got it: does middleware answer, or send headers, first?';
    throw createError('request/already-answered', message);
  }
  // The requests that frameworks make for tests have no socket, such as those of Fastify's `app.inject()`.
  if (typeof (req.socket as Partial<typeof req.socket> | null)?.setTimeout !== 'function') {
    const message =
      'The request did not come over a socket. `app.inject()` and the like give a response once it is complete, which ' +
      'a stream never is: test with a server that listens.';
    throw createError('request/no-socket', message);
  }
}

/** `last`: the socket serves no further request, because the hub is closing. */
export function sendAnswer(
  req: NodeRequest,
  res: NodeResponse,
  { status, headers, body }: Answer,
  last = false,
): void {
  if (isSettled(req, res)) return;
  setHeaders(res, headers);
  const text = req.method === 'HEAD' ? '' : body;
  if ('stream' in res) {
    res.writeHead(status);
    // RFC 9113 §8.1: once the answer is complete, the request is over too, even if parts of it are still to come.
    res.end(text, () => {
      res.stream.close();
      // Unless somebody takes what is left of the body, Node keeps the stream, and the session with it.
      req.resume();
      if (last) release(req);
    });
    return;
  }
  // Nobody reads a long rest of this request, so the socket can't serve another.
  if (last || !(req.complete || isShort(req as IncomingMessage))) res.setHeader('connection', 'close');
  if (req.complete) res.writeHead(status).end(text);
  else answerBeforeBody(req as IncomingMessage, res, status, text);
}

/** Whether nobody waits for our answer any more: the peer has left, or something else has answered. */
function isSettled(req: NodeRequest, res: NodeResponse): boolean {
  if (res.headersSent || res.writableEnded) return true;
  // HTTP/2's response doesn't say so itself, and HTTP/1.1's doesn't know while it is queued.
  return 'stream' in res ? res.stream.destroyed || res.stream.closed : res.destroyed || req.socket.destroyed;
}

/**
 * Middleware such as `express.json()` may have read the body already; `parsed` is the result. Some leave an empty
 * object there without reading (`express.urlencoded()` of Express 4, for a body that is not a form).
 */
async function readBody(req: NodeRequest, parsed: unknown, remote: string | undefined): Promise<unknown> {
  if (!req.readableDidRead) return readJson(req.iterator({ destroyOnReturn: false }), remote);
  if (typeof parsed === 'string') return readJson([new TextEncoder().encode(parsed)]);
  if (parsed instanceof Uint8Array) return readJson([parsed]);
  if (typeof parsed === 'object' && parsed !== null) return parsed;
  throw bodyAlreadyRead('`req.body`');
}

function headerOf(req: NodeRequest, name: string): string | undefined {
  // HTTP/2 has another name for it.
  const value = req.headers[name] ?? (name === 'host' ? req.headers[':authority'] : undefined);
  return Array.isArray(value) ? value.join(', ') : value;
}
