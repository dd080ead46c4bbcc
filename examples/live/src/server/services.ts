import type { RequestHandler } from 'express';
import { createHub, memoryLog } from 'tidings';
import type { Hub } from 'tidings';
import { createPageViews } from './analytics/page-views.ts';
import type { PageViewCounter } from './analytics/page-views.ts';
import { createViewers } from './analytics/viewers.ts';
import type { Viewers } from './analytics/viewers.ts';
import { createPasswords } from './auth/passwords.ts';
import type { PasswordCost } from './auth/passwords.ts';
import { SessionStore } from './auth/session-store.ts';
import { readSession } from './auth/sessions.ts';
import { createUsers } from './auth/users.ts';
import type { Users } from './auth/users.ts';
import { repeat } from './clock.ts';
import type { Clock } from './clock.ts';
import type { Config } from './config.ts';
import { createConnectionWatch } from './connections/watch.ts';
import type { ConnectionWatch } from './connections/watch.ts';
import { createDashboard } from './dashboard/dashboard.ts';
import type { Dashboard } from './dashboard/dashboard.ts';
import { createSampler } from './dashboard/sampler.ts';
import { openDatabase } from './database/open.ts';
import type { Database } from './database/schema.ts';
import { createAnnounce } from './events/announce.ts';
import type { Announce } from './events/announce.ts';
import { createSessionStreams } from './events/session-streams.ts';
import type { SessionStreams } from './events/session-streams.ts';
import { createFeed } from './feed/feed.ts';
import type { Feed } from './feed/feed.ts';
import { createRateLimits } from './http/rate-limits.ts';
import type { RateLimits } from './http/rate-limits.ts';
import { createNotifications } from './notifications/notifications.ts';
import type { Notifications } from './notifications/notifications.ts';
import type { Logger } from './ops/logger.ts';

export interface ServiceOptions {
  readonly config: Config;
  readonly log: Logger;
  readonly clock: Clock;
  /** Tests hash more cheaply. */
  readonly passwordCost?: PasswordCost | undefined;
}

/** What the routes are made of. */
export interface Services {
  readonly db: Database;
  readonly hub: Hub;
  readonly announce: Announce;
  readonly limits: RateLimits;
  readonly readSession: RequestHandler;
  readonly sessionStore: SessionStore;
  readonly sessionStreams: SessionStreams;
  readonly users: Users;
  readonly feed: Feed;
  readonly notifications: Notifications;
  readonly viewers: Viewers;
  readonly pageViews: PageViewCounter;
  readonly dashboard: Dashboard;
  readonly connectionWatch: ConnectionWatch;
  close(): Promise<void>;
}

const SECOND = 1000;
const HOUR = 3_600_000;
const MAX_PAGES_VIEWED = 500;
const MAX_PAGES_COUNTED = 2000;

/** Puts the parts together. One function, longer than others, since it is the one place where all of them meet. */
export async function createServices({
  config,
  log,
  clock,
  passwordCost,
}: ServiceOptions): Promise<Services> {
  const startedAt = clock.now();
  const db = await openDatabase(config.databaseFile);
  const hub = openHub(config, log);
  const announce = createAnnounce(hub, log);
  const limits = createRateLimits(config.ratesPerMinute);

  const sessionStreams = createSessionStreams(hub);
  const sessionStore = new SessionStore(db, clock, sessionStreams.end);
  const { sessionSecret: secret, sessionLifetime: lifetime } = config;

  const feed = await createFeed(db, announce, clock);
  const viewers = createViewers({ announce, clock, grace: config.viewerGrace, maxPages: MAX_PAGES_VIEWED });
  const pageViews = await createPageViews({ db, announce, clock, log, maxPages: MAX_PAGES_COUNTED });
  const sampler = createSampler({ hub, clock, posts: feed.count, pageViews: pageViews.total });
  const dashboard = createDashboard({ hub, sampler, announce, clock, interval: SECOND, startedAt });
  const connectionWatch = createConnectionWatch({ hub, announce, clock });

  async function prune(): Promise<void> {
    try {
      await Promise.all([sessionStore.prune(), pageViews.prune()]);
    } catch (error) {
      log.error({ err: error }, 'old rows not deleted');
    }
  }
  const stopTicking = repeat(
    clock,
    () => void Promise.all([dashboard.tick(), connectionWatch.tick()]),
    SECOND,
  );
  const stopPruning = repeat(clock, () => void prune(), HOUR);

  return {
    db,
    hub,
    announce,
    limits,
    readSession: readSession({ store: sessionStore, secret, lifetime }),
    sessionStore,
    sessionStreams,
    users: createUsers(db, createPasswords(passwordCost), clock),
    feed,
    notifications: createNotifications(db),
    viewers,
    pageViews,
    dashboard,
    connectionWatch,
    async close() {
      stopTicking();
      stopPruning();
      viewers.close();
      limits.close();
      sampler.pause();
      await pageViews.flush();
      await hub.close();
      await db.destroy();
    },
  };
}

function openHub(config: Config, log: Logger): Hub {
  return createHub({
    log: memoryLog({ retention: { events: 50_000, bytes: 67_108_864, age: HOUR } }),
    heartbeat: config.heartbeat,
    stallTimeout: config.stallTimeout,
    maxLifetime: config.maxLifetime,
    limits: { ...config.connectionLimits, topicsPerConnection: 16, eventLength: 65_536 },
    onError: (error) => log.error({ err: error }, 'hub'),
  });
}
