import type { FastifyRequest } from 'fastify';
import { type Matcher, unauthorized } from 'tidings';
import { type Authorization, type CorsOptions, sse } from 'tidings/fastify';
import { createMatcherSet } from 'tidings/log';
import type { Grant } from '../auth/authenticator.ts';
import type { Settings } from '../config/setting.ts';
import type { ServerContext } from '../server/part.ts';
import { corsCredentials, corsOrigins } from '../server/settings.ts';
import { credentialsOf } from './credentials.ts';
import { isLocal } from './origins.ts';

/** `GET /v1/events`, a stream; `POST`, a change of its topics. */
export async function registerStream(context: ServerContext): Promise<void> {
  const { hub, authenticator, observers, publicApp, settings, development } = context;
  const cors = corsOf(settings, development);
  await publicApp.register(
    sse(hub, {
      authorize: async (request: FastifyRequest, wanted) => {
        const grant = await authenticator.authenticate(credentialsOf(request));
        assertSignedIn(grant, wanted);
        return toAuthorization(grant);
      },
      onConnect: (connection, request) => observers.connected(connection, request),
      // Nobody else needs the request or the socket: without them, a stream takes a third of the memory.
      hijack: true,
      ...(cors !== undefined && { cors }),
    }),
    { prefix: '/v1/events' },
  );
}

/** Without credentials, topics that aren't open to anybody need some (401) rather than better ones (403). */
function assertSignedIn({ credential, subscribe }: Grant, wanted: readonly Matcher[]): void {
  if (credential !== undefined) return;
  const open = createMatcherSet(subscribe);
  if (!wanted.every((matcher) => open.covers(matcher)))
    throw unauthorized('These topics need a token: send it as `Authorization: Bearer …`.');
}

/** A grant in the words of the hub. */
export function toAuthorization({
  subject,
  subscribe,
  private: secret,
  expiresAt,
  issuedAt,
  tokenId,
}: Grant): Authorization {
  return {
    topics: [...subscribe, ...secret],
    private: secret,
    ...(subject !== undefined && { subject }),
    ...(expiresAt !== undefined && { expiresAt }),
    ...(issuedAt !== undefined && { issuedAt }),
    ...(tokenId !== undefined && { tokenId }),
  };
}

export function corsOf(settings: Settings, development: boolean): CorsOptions | undefined {
  const origins = settings.get(corsOrigins);
  if (origins.length === 0) return development ? { origin: isLocal } : undefined;
  return {
    origin: origins.includes('*') ? '*' : origins,
    credentials: settings.get(corsCredentials),
  };
}
