import express from 'express';
import type { Express, RequestHandler } from 'express';
import type { Hub } from 'tidings';
import { ROUTES } from '../shared/api.ts';
import type { User } from '../shared/api.ts';
import { analyticsRoutes } from './analytics/routes.ts';
import { authRoutes } from './auth/routes.ts';
import { systemClock } from './lib/clock.ts';
import type { Clock } from './lib/clock.ts';
import { feedRoutes } from './feed/routes.ts';
import { refuseCrossSite } from './http/cross-site.ts';
import { logRequests } from './http/log-requests.ts';
import { notFoundPage, pages } from './http/pages.ts';
import { answerErrors, methodNotAllowed, notFound } from './http/problem.ts';
import { source } from './http/source.ts';
import { securityHeaders } from './http/security-headers.ts';
import { notificationRoutes } from './notifications/routes.ts';
import { endConnections, health } from './ops/health.ts';
import type { Lifecycle } from './ops/health.ts';
import { metrics } from './ops/metrics.ts';
import { createServices } from './services.ts';
import type { ServiceOptions, Services } from './services.ts';
import { streamRoutes } from './streams/routes.ts';

export type AppOptions = Omit<ServiceOptions, 'clock'> & { readonly clock?: Clock };

export interface App {
  readonly app: Express;
  readonly hub: Hub;
  /** Answers `/healthz` with 503 from now on, and keeps no connection alive. */
  drain(): void;
  /** Ends the streams within so many milliseconds, with a goodbye that says when to come back. */
  endStreams(within: number): Promise<void>;
  /** Saves pending changes and closes the database. Call it when no request is running any more. */
  close(): Promise<void>;
}

/** The app, for a server to serve. */
export async function createApp(options: AppOptions): Promise<App> {
  const { config, log, clock = systemClock } = options;
  const services = await createServices({ ...options, clock });
  const lifecycle: Lifecycle = { draining: false };

  const app = express();
  app.disable('x-powered-by');
  app.set('trust proxy', config.trustProxy);
  // `searchParams` reads them as they were sent; nothing else may interpret them as lists or objects.
  app.set('query parser', false);
  app.use(logRequests(log), endConnections(lifecycle), securityHeaders());
  mountRoutes(app, services, clock, lifecycle);
  app.use(source(), pages(config.pagesFolder), notFoundPage(config.pagesFolder));
  app.use(notFound);
  app.use(answerErrors(log));

  return {
    app,
    hub: services.hub,
    drain() {
      lifecycle.draining = true;
    },
    async endStreams(within) {
      // While they can still get a goodbye.
      await services.pageViews.flush();
      await services.hub.close({ within });
    },
    close: services.close,
  };
}

function mountRoutes(app: Express, services: Services, clock: Clock, lifecycle: Lifecycle): void {
  const { hub, feed, pageViews, limits } = services;
  const totals = { posts: feed.count, pageViews: pageViews.total };
  app.route(ROUTES.health).get(health(lifecycle)).all(methodNotAllowed('GET'));
  app
    .route(ROUTES.metrics)
    .get(metrics(hub, clock, totals))
    .all(methodNotAllowed('GET'));
  app.use(refuseCrossSite());
  app.use(streamRoutes(services));
  app.use([ROUTES.session, ROUTES.users, ROUTES.posts, ROUTES.notifications], noStore, services.readSession);
  app.use(ROUTES.pageViews, noStore);
  // This process ends the session's streams by itself. Others know the user only: their streams come back at once, those of
  // the session without it.
  const signedOut = async ({ id }: User): Promise<void> => {
    if (services.shared) await hub.disconnect({ subject: String(id) });
  };
  app.use(authRoutes({ ...services, clock, limit: limits.signIn, signedOut }));
  app.use(feedRoutes(services));
  app.use(notificationRoutes(services));
  app.use(analyticsRoutes(pageViews, hub));
}

/** An answer of the API is true only at that moment, for that user. */
const noStore: RequestHandler = (_request, response, next) => {
  response.set('Cache-Control', 'no-store');
  next();
};
