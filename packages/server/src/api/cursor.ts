import { unauthorized } from 'tidings';
import type { ServerContext } from '../server/part.ts';
import { credentialsOf } from './credentials.ts';

/**
 * `GET /v1/cursor`: the cursor at the head. An app reads it, then its database, and a page that connects with it misses
 * nothing.
 */
export function registerCursor({ publicApp, authenticator, hub }: ServerContext): void {
  publicApp.get('/v1/cursor', async (request, reply) => {
    const grant = await authenticator.authenticate(credentialsOf(request));
    if (grant.publish.length + grant.subscribe.length + grant.private.length === 0)
      throw unauthorized('The cursor needs a token: send it as `Authorization: Bearer …`.');
    return reply.header('cache-control', 'no-store').send({ cursor: hub.cursor() });
  });
}
