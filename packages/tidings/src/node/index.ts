import type { Hub } from '../hub/hub.ts';
import { createError } from '../protocol/errors.ts';
import { aFunction } from '../protocol/options.ts';
import type { HandlerOptions } from '../http/handler-options.ts';
import { toProblem } from '../http/problem.ts';
import { createNodeHandler, sendAnswer } from './handler.ts';
import type { NodeRequest, NodeResponse, SocketOptions } from './node-stream.ts';

export interface NodeHandlerOptions<Req> extends HandlerOptions<Req>, SocketOptions {
  /**
   * Receives errors of the app's own functions, after the request was answered 500. Default: logs them to the console.
   */
  readonly onError?: (error: unknown, req: Req) => void;
}

/**
 * Serves the hub's events to `(req, res)`: plain `node:http`, `https`, `http2`, and frameworks on top of them. Express,
 * Fastify and Koa have entry points of their own.
 *
 * Mount it for all methods: a POST changes an open connection, and browsers ask for permission with OPTIONS.
 *
 * @throws {TidingsError} `hub/invalid-option`.
 */
export function sse<Req extends NodeRequest = NodeRequest>(
  hub: Hub,
  options: NodeHandlerOptions<Req> = {},
): (req: Req, res: NodeResponse) => void {
  const onError = (error: unknown, req: Req): void => {
    if (options.onError === undefined) console.error('tidings:', error);
    else options.onError(error, req);
  };
  const handle = createNodeHandler<Req>(hub, options, { checks: { onError: aFunction }, report: onError });
  return (req, res) => {
    void handle(req, req, res).catch((error: unknown) => {
      const failure = createError('request/handler-failed', 'The server failed to handle the request.');
      sendAnswer(req, res, toProblem(failure));
      onError(error, req);
    });
  };
}

/** For transports that answer by themselves, such as with another protocol: `openStream` begins a stream on a response. */
export { createNodeHandler, describeRequest, sendAnswer } from './handler.ts';
export { openStream } from './node-stream.ts';
export type { Adapter } from './handler.ts';
export type { NodeRequest, NodeResponse, SocketOptions };
