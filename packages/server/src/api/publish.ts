import type { FastifyInstance } from 'fastify';
import { createError } from 'tidings/transport';
import type { EventInput } from 'tidings';
import type { ServerContext } from '../server/part.ts';
import { credentialsOf } from './credentials.ts';
import { bodyLimit } from './settings.ts';

/** `POST /v1/publish`: one event as a JSON object, or several as a list of them. */
export async function registerPublish(context: ServerContext): Promise<void> {
  await context.publicApp.register((app: FastifyInstance) => {
    app.route({
      method: 'POST',
      url: '/v1/publish',
      bodyLimit: context.settings.get(bodyLimit),
      handler: async (request, reply) => {
        const grant = await context.authenticator.authenticate(credentialsOf(request));
        const events = eventsOf(request.body);
        const published = await context.publisher.publish(events, { grant, request });
        return reply.header('cache-control', 'no-store').send({ events: published });
      },
    });
    return Promise.resolve();
  });
}

function eventsOf(body: unknown): readonly EventInput[] {
  const events = Array.isArray(body) ? (body as readonly unknown[]) : [body];
  if (events.every((event) => typeof event === 'object' && event !== null && !Array.isArray(event)))
    return events as readonly EventInput[];
  throw createError('request/invalid-body', 'Expected an event as an object, or a list of events.');
}
