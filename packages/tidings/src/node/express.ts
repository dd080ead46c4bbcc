import type { Request, RequestHandler } from 'express';
import type { Hub } from '../hub/hub.ts';
import type { HandlerOptions } from '../http/handler-options.ts';
import { createNodeHandler } from './handler.ts';
import type { SocketOptions } from './node-stream.ts';

/**
 * Serves the hub's events on a route of Express 4 or 5. Errors of `topics`, `authorize`, `greeting` and `onConnect` go
 * to the app's error handler, except those that say how to answer, such as `unauthorized()`. The peer's address is
 * `req.ip`, which respects the app's `trust proxy`.
 *
 * @throws {TidingsError} `hub/invalid-option`.
 */
export function sse(hub: Hub, options: HandlerOptions<Request> & SocketOptions = {}): RequestHandler {
  const handle = createNodeHandler<Request>(hub, options, { address: (req) => req.ip });
  return (req, res, next) => {
    warnOfGetOnly(req);
    handle(req, req, res).catch(next);
  };
}

let warned = false;

/** `app.get` leaves the client's POST to Express, which answers 404: topics can't change, authorization can't be renewed. */
function warnOfGetOnly(req: Request): void {
  if (warned || req.method !== 'GET') return;
  const { methods } = (req as { route?: { methods?: Record<string, boolean> } }).route ?? {};
  if (methods === undefined || methods['_all'] === true || methods['post'] === true) return;
  warned = true;
  process.emitWarning(
    `sse() is mounted at ${req.baseUrl}${req.path} for GET alone. Clients change their topics and renew their authorization by POST, ` +
      'and pages of other origins ask with OPTIONS: use app.use() or app.all().',
    { code: 'TIDINGS_GET_ONLY' },
  );
}

export type { SocketOptions } from './node-stream.ts';
export type { Authorization, CorsOptions, HandlerOptions } from '../http/handler-options.ts';
