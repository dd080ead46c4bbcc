import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Hub } from '../hub/hub.ts';
import type { HandlerOptions } from '../http/handler-options.ts';
import { createNodeHandler } from './handler.ts';
import type { SocketOptions } from './node-stream.ts';

/** A plugin for `app.register`: its `prefix` is the URL of the stream. */
export type FastifyEvents = (app: FastifyInstance) => Promise<void>;

/**
 * Serves the hub's events as a plugin of Fastify: `app.register(sse(hub), { prefix: '/events' })`. Answers keep the
 * headers that hooks have set, such as those of `@fastify/cors`. Errors of `topics`, `authorize`, `greeting` and
 * `onConnect` go to the app's error handler, except those that say how to answer, such as `unauthorized()`. The peer's
 * address is `request.ip`, which respects `trustProxy`. `app.close()` closes the hub.
 *
 * @throws {TidingsError} `hub/invalid-option`.
 */
export function sse(hub: Hub, options: HandlerOptions<FastifyRequest> & SocketOptions = {}): FastifyEvents {
  const handle = createNodeHandler<FastifyRequest>(hub, options, { address: (request) => request.ip });
  return async (app) => {
    // The hub reads the bodies of this plugin's requests, within its own limits. Other routes are unaffected.
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', (_request, _payload, done) => done(null));
    // Not `onClose`, which comes after the server has waited for the streams to end.
    app.addHook('preClose', () => hub.close());
    app.route({
      method: ['GET', 'HEAD', 'POST', 'OPTIONS', 'PUT', 'PATCH', 'DELETE'],
      url: '/',
      handler: (request, reply) => {
        passHeaders(reply);
        return handle(request, request.raw, reply.raw, () => void reply.hijack());
      },
    });
  };
}

/** Fastify holds the headers that hooks have set until it sends a reply of its own. */
function passHeaders(reply: FastifyReply): void {
  for (const [name, value] of Object.entries(reply.getHeaders()))
    if (value !== undefined) reply.raw.setHeader(name, value);
}

export type { SocketOptions } from './node-stream.ts';
export type { Authorization, CorsOptions, HandlerOptions } from '../http/handler-options.ts';
