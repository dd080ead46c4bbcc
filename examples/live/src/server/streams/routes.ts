import express from 'express';
import type { Request, RequestHandler, Router } from 'express';
import type { Hub } from 'tidings';
import { sse } from 'tidings/express';
import type { HandlerOptions } from 'tidings/express';
import { z } from 'zod';
import { PAGES, ROUTES, VISIT_HEADERS, trimPath } from '../../shared/api.ts';
import { pageName } from '../analytics/page-name.ts';
import type { PageViewCounter } from '../analytics/page-views.ts';
import type { Viewers } from '../analytics/viewers.ts';
import type { SessionStore } from '../auth/session-store.ts';
import type { ConnectionWatch } from '../connections/watch.ts';
import { sessionExpiry } from '../auth/sessions.ts';
import { parseInput, searchParams } from '../http/input.ts';
import { HttpProblem } from '../http/problem.ts';
import type { RateLimits } from '../http/rate-limits.ts';
import { randomIdSchema } from '../http/schemas.ts';
import { openToOtherSites } from '../http/security-headers.ts';
import { identifyVisitor, visitorOf } from '../http/visitor.ts';
import { authorizeTopics } from './authorize.ts';
import type { Greetings } from './greetings.ts';
import type { SessionStreams } from './session-streams.ts';

export interface StreamRoutesOptions {
  readonly greetings: Greetings;
  readonly viewers: Viewers;
  readonly connectionWatch: ConnectionWatch;
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

/**
 * The stream of this app's own pages. The topics are those of the URL, so all tabs of a browser can share one stream; what
 * differs from tab to tab comes in headers.
 */
function appStream(options: StreamRoutesOptions): HandlerOptions<Request> {
  const { sessionStore, sessionStreams, pageViews, connectionWatch } = options;

  return {
    authorize(request, wanted) {
      // A bad visit is refused here, where it is still an answer.
      ownVisit(request);
      // It may have been signed out since it was read.
      const user = sessionStore.hasEnded(request.sessionID) ? undefined : request.session.user;
      const authorization = authorizeTopics(user, sessionExpiry(request), wanted);
      return { ...authorization, member: { id: visitorOf(request) } };
    },
    greeting: ({ topics }, request) => options.greetings.for(topics, visitorOf(request)),
    onConnect(connection, request) {
      const visit = ownVisit(request);
      if (visit !== undefined) pageViews.record(visit.page, visit.view);
      const overs = [
        sessionStreams.add(request.sessionID, connection),
        connectionWatch.add(connection.id, visitorOf(request)),
      ];
      return () => {
        for (const over of overs) over();
      };
    },
  };
}

/** The stream that other sites' pages open to be counted: nothing comes on it. */
function countStream({ pageViews, viewers }: StreamRoutesOptions): HandlerOptions<Request> {
  return {
    topics: (request) => viewers.topicsOf(foreignVisit(request).page),
    authorize: (request) => ({ member: { id: foreignVisit(request).visitor } }),
    onConnect({ topics }, request) {
      const { page, view } = foreignVisit(request);
      pageViews.record(page, view);
      viewers.enter(topics);
    },
    cors: { origin: '*' },
  };
}

const visitSchema = z.object({ page: z.string(), view: randomIdSchema });
const foreignVisitSchema = visitSchema.extend({ visitor: randomIdSchema });

/** @throws HttpProblem 400 */
function ownVisit(request: Request): Visit | undefined {
  const { page, view } = VISIT_HEADERS;
  const given = { page: request.get(page), view: request.get(view) };
  if (given.page === undefined && given.view === undefined) return undefined;
  const visit = parseInput(visitSchema, given);
  if (Object.hasOwn(PAGES, trimPath(visit.page))) return { ...visit, page: trimPath(visit.page) };
  throw new HttpProblem(400, 'page/invalid', 'There is no such page here.');
}

/** @throws HttpProblem 400 */
function foreignVisit(request: Request): Visit & { visitor: string } {
  const visit = parseInput(foreignVisitSchema, Object.fromEntries(searchParams(request)));
  return { ...visit, page: pageName(request, visit.page) };
}
