import express from 'express';
import type { Request, RequestHandler, Router } from 'express';
import type { ConnectionInfo, Hub } from 'tidings';
import { sse } from 'tidings/express';
import type { HandlerOptions } from 'tidings/express';
import { z } from 'zod';
import { ROUTES } from '../../shared/api.ts';
import { pageName } from '../analytics/page-name.ts';
import type { PageViewCounter } from '../analytics/page-views.ts';
import type { Viewers } from '../analytics/viewers.ts';
import type { SessionStore } from '../auth/session-store.ts';
import { sessionExpiry } from '../auth/sessions.ts';
import { parseInput, searchParams } from '../http/input.ts';
import type { RateLimits } from '../http/rate-limits.ts';
import { randomIdSchema } from '../http/schemas.ts';
import { openToOtherSites } from '../http/security-headers.ts';
import { identifyVisitor, visitorOf } from '../http/visitor.ts';
import { authorizeTopics, wantedTopics } from './authorize.ts';
import type { Greetings } from './greetings.ts';
import type { SessionStreams } from './session-streams.ts';

export interface StreamRoutesOptions {
  readonly greetings: Greetings;
  readonly viewers: Viewers;
  readonly hub: Hub;
  readonly limits: Pick<RateLimits, 'connecting'>;
  readonly readSession: RequestHandler;
  readonly sessionStore: SessionStore;
  readonly sessionStreams: SessionStreams;
  readonly pageViews: PageViewCounter;
}

/** A page that is open, and the number of this load of it. */
interface Visit {
  page: string;
  view: string;
}

export function streamRoutes(options: StreamRoutesOptions): Router {
  const router = express.Router();
  router.use(
    ROUTES.events,
    options.limits.connecting,
    options.readSession,
    identifyVisitor,
    sse(options.hub, appStream(options)),
  );
  router.use(
    ROUTES.count,
    openToOtherSites,
    options.limits.connecting,
    sse(options.hub, countStream(options)),
  );
  return router;
}

/** The stream of this app's own pages. */
function appStream(options: StreamRoutesOptions): HandlerOptions<Request> {
  const { sessionStore, sessionStreams } = options;

  return {
    topics: (request) => [
      ...wantedTopics(searchParams(request)),
      ...countedTopics(options, ownVisit(request)),
    ],
    authorize(request, wanted) {
      // It may have been signed out since it was read.
      const user = sessionStore.hasEnded(request.sessionID) ? undefined : request.session.user;
      const topics = wanted.filter((matcher) => typeof matcher === 'string');
      const authorization = authorizeTopics(user, sessionExpiry(request), topics);
      return { ...authorization, member: { id: visitorOf(request) } };
    },
    greeting: ({ topics }) => options.greetings.for(topics),
    onConnect(connection, request) {
      startVisit(options, connection, ownVisit(request));
      return sessionStreams.add(request.sessionID, connection);
    },
  };
}

/** The stream that other sites' pages open to be counted: nothing comes on it. */
function countStream(options: StreamRoutesOptions): HandlerOptions<Request> {
  return {
    topics: (request) => countedTopics(options, foreignVisit(request)),
    authorize: (request) => ({ member: { id: foreignVisit(request).visitor } }),
    onConnect: (connection, request) => startVisit(options, connection, foreignVisit(request)),
    cors: { origin: '*' },
  };
}

function countedTopics({ viewers }: StreamRoutesOptions, visit: Visit | undefined): readonly string[] {
  return visit === undefined ? [] : viewers.topicsOf(visit.page);
}

function startVisit(
  { viewers, pageViews }: StreamRoutesOptions,
  { topics }: ConnectionInfo,
  visit: Visit | undefined,
): void {
  if (visit === undefined) return;
  pageViews.record(visit.page, visit.view);
  viewers.enter(topics);
}

const ownVisitQuery = z.object({ page: z.string(), view: randomIdSchema });
const foreignVisitQuery = ownVisitQuery.extend({ visitor: randomIdSchema });

/** @throws HttpProblem 400 */
function ownVisit(request: Request): Visit | undefined {
  const params = searchParams(request);
  if (!params.has('page')) return undefined;
  const { page, view } = parseInput(ownVisitQuery, Object.fromEntries(params));
  return { page: pageName(request, page), view };
}

/** @throws HttpProblem 400 */
function foreignVisit(request: Request): Visit & { visitor: string } {
  const visit = parseInput(foreignVisitQuery, Object.fromEntries(searchParams(request)));
  return { ...visit, page: pageName(request, visit.page) };
}
