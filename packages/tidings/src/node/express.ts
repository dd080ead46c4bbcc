import type { Request, RequestHandler } from 'express';
import type { Hub } from '../hub/hub.ts';
import type { HandlerOptions } from '../http/handler-options.ts';
import { type SocketOptions, createNodeHandler } from './index.ts';

/**
 * Serves the hub's events on a route of Express 5. What `topics`, `authorize`, `greeting` and `onConnect` throw
 * goes to the app's error handler, except for errors that say how to answer, such as `unauthorized()`. The peer's
 * address is `req.ip`, which heeds the app's `trust proxy`.
 *
 * @throws {TidingsError} `hub/invalid-option`.
 */
export function sse(hub: Hub, options: HandlerOptions<Request> & SocketOptions = {}): RequestHandler {
  const handle = createNodeHandler<Request>(hub, { address: (req) => req.ip, ...options });
  return (req, res, next) => {
    handle(req, res).catch(next);
  };
}

export type { SocketOptions } from './index.ts';
export type { Authorization, CorsOptions, Greeting, HandlerOptions } from '../http/handler-options.ts';
