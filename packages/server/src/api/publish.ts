import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Published } from 'tidings';
import { createError } from 'tidings/transport';
import type { Grant } from '../auth/authenticator.ts';
import type { Settings } from '../config/setting.ts';
import type { RunningPart, ServerContext } from '../server/part.ts';
import { corsCredentials } from '../server/settings.ts';
import { MEDIA_TYPES, type PublishBody, parseBody } from './body.ts';
import { assertPlain } from './coding.ts';
import { credentialsOf } from './credentials.ts';
import { Idempotency } from './idempotency.ts';
import { type OriginPolicy, assertOrigin, listed, permit } from './origins.ts';
import { batchLimit, bodyLimit, publishOrigins } from './settings.ts';

const URL_OF_PUBLISH = '/v1/publish';

/** `POST /v1/publish`: one event, or several of which all are published or none. */
export async function registerPublish(context: ServerContext): Promise<RunningPart> {
  let policy = policyOf(context.settings, context.development);
  const idempotency = new Idempotency();
  const grants = new WeakMap<FastifyRequest, Grant>();

  /** Before the body is read: a client that may not publish can't make the server keep a body either. */
  async function admit(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    reply.header('cache-control', 'no-store');
    permit(request, reply, policy);
    if (request.method === 'OPTIONS') return;
    assertOrigin(request, policy);
    assertPlain(request, reply);
    const grant = await context.authenticator.authenticate(credentialsOf(request), {
      origins: policy.origins,
    });
    context.publisher.assertRoom({ grant, request });
    grants.set(request, grant);
  }

  async function publish(request: FastifyRequest): Promise<Published | readonly Published[]> {
    const grant = grants.get(request);
    const body = request.body as (PublishBody & { readonly bytes: Uint8Array }) | undefined;
    if (grant === undefined || body === undefined) throw unsupported();
    const key = request.headers['idempotency-key'];
    if (key === undefined)
      return answerOf(await context.publisher.publish(body.events, { grant, request }), body);
    const named = idempotency.identify(String(key), grant.credential ?? '', body.bytes, body.events);
    try {
      return answerOf(await context.publisher.publish(named.events, { grant, request }), body);
    } catch (error) {
      named.failed();
      throw error;
    }
  }

  await context.publicApp.register((app: FastifyInstance) => {
    parseBodies(app, context.settings.get(batchLimit));
    app.addHook('onRequest', admit);
    app.post(URL_OF_PUBLISH, { bodyLimit: context.settings.get(bodyLimit), handler: publish });
    app.options(URL_OF_PUBLISH, (_request, reply) => reply.code(204).header('allow', 'POST, OPTIONS').send());
    return Promise.resolve();
  });

  return {
    reload(settings) {
      policy = policyOf(settings, context.development);
    },
  };
}

function policyOf(settings: Settings, development: boolean): OriginPolicy {
  return {
    origins: settings.get(publishOrigins),
    allows: listed(settings.get(publishOrigins), development),
    credentials: settings.get(corsCredentials) && !settings.get(publishOrigins).includes('*'),
  };
}

function parseBodies(app: FastifyInstance, most: number): void {
  app.removeAllContentTypeParsers();
  for (const [type, media] of Object.entries(MEDIA_TYPES)) {
    app.addContentTypeParser(type, { parseAs: 'buffer' }, (_request, bytes: Buffer, done) => {
      try {
        done(null, { ...parseBody(media, bytes, most), bytes });
      } catch (error) {
        done(error as Error);
      }
    });
  }
}

/** Without a content type, nothing parses the body. */
function unsupported(): Error {
  const types = Object.keys(MEDIA_TYPES).join(', ');
  return createError(
    'request/unsupported-media-type',
    `Expected a body with one of these content types: ${types}.`,
  );
}

function answerOf(
  published: readonly Published[],
  { isList }: PublishBody,
): Published | readonly Published[] {
  const [first] = published;
  return isList || first === undefined ? published : first;
}
