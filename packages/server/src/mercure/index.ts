import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { gatewayOf, preflightHeaders } from 'tidings/transport';
import { bodyLimit, publishOrigins as listedToPublish } from '../api/settings.ts';
import { corsOf } from '../api/stream.ts';
import type { Settings } from '../config/setting.ts';
import type { RunningPart, ServerContext, ServerPart } from '../server/part.ts';
import * as rows from '../server/settings.ts';
import { createAccess } from './access.ts';
import { headersOf, sendError } from './answers.ts';
import type { Hub } from './hub.ts';
import { isReserved } from './hub-url.ts';
import { createUriTemplates } from './legacy/uri-template.ts';
import { metadataOf } from './metadata.ts';
import { type PublishLimits, RESERVED_TYPE, createPublish } from './publish.ts';
import {
  MERCURE_SETTINGS,
  authorizationServers,
  cookieName,
  hubUrlOf,
  legacyEnabled,
  subscriptionsEnabled,
} from './settings.ts';
import { createSubscribe } from './subscribe.ts';
import { ActiveSubscriptions } from './subscriptions/active.ts';
import { createSubscriptionsApi } from './subscriptions/api.ts';
import { SUBSCRIPTION_TOPICS, createTopicNames } from './topic-names.ts';
import { createUrlPatterns } from './url-pattern/syntax.ts';

type Handler = (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>;

/** The Mercure protocol, draft 08: https://datatracker.ietf.org/doc/draft-dunglas-mercure/ */
export const mercure: ServerPart = {
  name: 'mercure',
  settings: MERCURE_SETTINGS,
  topicRules(settings) {
    const url = settings.get(subscriptionsEnabled) ? hubUrlOf(settings, true) : undefined;
    return url === undefined ? [] : [{ match: SUBSCRIPTION_TOPICS, state: true }];
  },
  check(settings) {
    hubUrlOf(settings, false);
  },
  async register(context) {
    const { settings, development } = context;
    const url = hubUrlOf(settings, development);
    if (url === undefined) return {};
    const publishOriginsOf = (given: Settings): readonly string[] => [
      new URL(url.href).origin,
      ...given.get(listedToPublish),
    ];
    let publishOrigins = publishOriginsOf(settings);
    const names = createTopicNames(settings.get(subscriptionsEnabled) ? url.subscriptionsPath : undefined);
    const hub: Hub = {
      url,
      names,
      urlPatterns: createUrlPatterns(url.href, names),
      uriTemplates: createUriTemplates(names),
      cookie: settings.get(cookieName),
      cors: corsOf(settings, development),
      get publishOrigins() {
        return publishOrigins;
      },
      get origins() {
        return [...publishOrigins, ...settings.get(rows.corsOrigins)];
      },
      legacy: settings.get(legacyEnabled),
      development,
    };
    const limits = limitsOf(settings);
    const running = await serve(hub, context, limits);
    return {
      ...running,
      reload(next) {
        publishOrigins = publishOriginsOf(next);
        Object.assign(limits, limitsOf(next));
      },
    };
  },
};

function limitsOf(settings: Settings): PublishLimits {
  return {
    topicsPerEvent: settings.get(rows.limits.topicsPerEvent),
    topicLength: settings.get(rows.limits.topicLength),
  };
}

async function serve(hub: Hub, context: ServerContext, limits: PublishLimits): Promise<RunningPart> {
  const { settings, publicApp, authenticator, publisher, observers, log, logger } = context;
  publisher.reserve(({ topics, type }) => {
    // Text that is no topic gets the error for that.
    return (
      type === RESERVED_TYPE ||
      [topics].flat().some((topic) => typeof topic === 'string' && topic !== '' && isReserved(topic, hub.url))
    );
  });
  const gateway = gatewayOf(context.hub);
  const access = createAccess(hub, authenticator);
  const subscriptions = settings.get(subscriptionsEnabled)
    ? new ActiveSubscriptions({
        hub: context.hub,
        log,
        path: hub.url.subscriptionsPath,
        names: hub.names,
        limits,
        report: (error) => logger.error({ err: error }, 'a subscription could not be announced'),
      })
    : undefined;
  const answering =
    (handler: Handler): Handler =>
    async (request, reply) => {
      try {
        return await handler(request, reply);
      } catch (error) {
        return sendError(error, { hub, hasToken: access.hasToken(request) }, request, reply);
      }
    };
  await publicApp.register((app: FastifyInstance) => {
    app.removeAllContentTypeParsers();
    app.addContentTypeParser(
      'application/x-www-form-urlencoded',
      { parseAs: 'buffer', bodyLimit: settings.get(bodyLimit) },
      (_request, body, done) => done(null, body),
    );
    const subscribe = answering(createSubscribe(hub, { gateway, log, access, observers, subscriptions }));
    app.route({ method: ['GET', 'HEAD'], url: hub.url.path, exposeHeadRoute: false, handler: subscribe });
    const publish = createPublish(hub, { access, publisher, limits });
    app.post(hub.url.path, {
      onRequest: async (request, reply) => {
        try {
          await publish.admit(request);
        } catch (error) {
          return sendError(error, { hub, hasToken: access.hasToken(request) }, request, reply);
        }
      },
      handler: answering(publish.handle),
    });
    app.options(hub.url.path, (request, reply) => preflight(hub, request, reply));
    app.get(hub.url.metadataPath, (_request, reply) =>
      reply.headers({ 'access-control-allow-origin': '*', 'cache-control': 'public, max-age=300' }).send(
        metadataOf(hub, {
          authorizationServers: settings.get(authorizationServers),
          subscriptions: subscriptions !== undefined,
        }),
      ),
    );
    if (subscriptions === undefined) return Promise.resolve();
    const list = answering(createSubscriptionsApi(hub, { events: context.hub, access, subscriptions }));
    for (const url of [hub.url.subscriptionsPath, `${hub.url.subscriptionsPath}/*`]) {
      app.get(url, list);
      app.options(url, (request, reply) => preflight(hub, request, reply));
    }
    return Promise.resolve();
  });
  return {
    close() {
      subscriptions?.close();
    },
  };
}

function preflight(hub: Hub, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  return reply
    .code(204)
    .headers({ ...headersOf(hub, request), ...preflightHeaders(hub.cors, request.headers.origin) })
    .send();
}
