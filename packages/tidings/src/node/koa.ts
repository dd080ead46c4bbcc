import type { Context, Middleware } from 'koa';
import type { Hub } from '../hub/hub.ts';
import type { HandlerOptions } from '../http/handler-options.ts';
import { createNodeHandler } from './handler.ts';
import type { SocketOptions } from './node-stream.ts';

/**
 * Serves the hub's events as middleware of Koa: `router.all('/events', sse(hub))`. Errors of `topics`, `authorize`,
 * `greeting` and `onConnect` go up the middleware, except those that say how to answer, such as `unauthorized()`. The
 * peer's address is `ctx.ip`, which respects `app.proxy`.
 *
 * @throws {TidingsError} `hub/invalid-option`.
 */
export function sse(hub: Hub, options: HandlerOptions<Context> & SocketOptions = {}): Middleware {
  const handle = createNodeHandler<Context>(hub, options, {
    address: (ctx) => ctx.ip,
    body: (ctx) => (ctx.request as { body?: unknown }).body,
  });
  return (ctx) => handle(ctx, ctx.req, ctx.res, () => void (ctx.respond = false));
}

export type { SocketOptions } from './node-stream.ts';
export type { Authorization, CorsOptions, HandlerOptions } from '../http/handler-options.ts';
