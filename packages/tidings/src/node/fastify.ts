import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Hub } from '../hub/hub.ts';
import type { HandlerOptions } from '../http/handler-options.ts';
import { createNodeHandler } from './handler.ts';
import type { SocketOptions } from './node-stream.ts';

/** A plugin for `app.register`: its `prefix` is the URL of the stream. */
export type FastifyEvents = (app: FastifyInstance) => Promise<void>;

/**
 * Serves the hub's events as a plugin of Fastify: `app.register(sse(hub), { prefix: '/events' })`. Headers that hooks have
 * set, such as those of `@fastify/cors`, stand in the answers. What `topics`, `authorize`, `greeting` and `onConnect`
 * throw goes to the app's error handler, except for errors that say how to answer, such as `unauthorized()`. The peer's
 * address is `request.ip`, which heeds `trustProxy`. `app.close()` closes the hub.
 *
 * @throws {TidingsError} `hub/invalid-option`.
 */
export function sse(hub: Hub, options: HandlerOptions<FastifyRequest> & SocketOptions = {}): FastifyEvents {
  const handle = createNodeHandler<FastifyRequest>(hub, options, { address: (request) => request.ip });
  return async (app) => {
    // The bodies of this plugin's requests are read by the hub, within its own limits. It goes for no other routes.
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

/** Fastify keeps what hooks have set to itself until it sends a reply of its own. */
function passHeaders(reply: FastifyReply): void {
  for (const [name, value] of Object.entries(reply.getHeaders()))
    if (value !== undefined) reply.raw.setHeader(name, value);
}

export type { SocketOptions } from './node-stream.ts';
export type { Authorization, CorsOptions, HandlerOptions } from '../http/handler-options.ts';
