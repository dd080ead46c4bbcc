import type { RequestHandler } from 'express';
import type { Hub } from 'tidings';
import { createPageViews } from './analytics/page-views.ts';
import type { PageViewCounter } from './analytics/page-views.ts';
import { createViewers } from './analytics/viewers.ts';
import type { Viewers } from './analytics/viewers.ts';
import { createKnownBrowsers } from './auth/known-browsers.ts';
import type { KnownBrowsers } from './auth/known-browsers.ts';
import { createPasswords } from './auth/passwords.ts';
import type { PasswordCost } from './auth/passwords.ts';
import { SessionStore } from './auth/session-store.ts';
import { currentUser, readSession } from './auth/sessions.ts';
import { createSignInGuard } from './auth/sign-in-guard.ts';
import type { SignInGuard } from './auth/sign-in-guard.ts';
import { createUsers } from './auth/users.ts';
import type { Users } from './auth/users.ts';
import { repeat } from './lib/clock.ts';
import type { Clock } from './lib/clock.ts';
import { isShared } from './ops/config.ts';
import type { Config } from './ops/config.ts';
import { followOthers } from './others.ts';
import { createConnectionWatch } from './connections/watch.ts';
import type { ConnectionWatch } from './connections/watch.ts';
import { createDashboard } from './dashboard/dashboard.ts';
import { createSampler } from './dashboard/sampler.ts';
import { openDatabase } from './database/open.ts';
import type { Database } from './database/schema.ts';
import { createAnnounce } from './events/announce.ts';
import { openHub } from './events/hub.ts';
import { createOutbox } from './events/outbox.ts';
import type { Outbox } from './events/outbox.ts';
import { createNodes } from './events/nodes.ts';
import { createGreetings } from './streams/greetings.ts';
import type { Greetings } from './streams/greetings.ts';
import { createSessionStreams } from './streams/session-streams.ts';
import type { SessionStreams } from './streams/session-streams.ts';
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

/** The parts that the routes use. */
export interface Services {
  readonly db: Database;
  readonly hub: Hub;
  /** Whether other processes may serve the app, too. */
  readonly shared: boolean;
  readonly outbox: Outbox;
  readonly limits: RateLimits;
  readonly readSession: RequestHandler;
  readonly sessionStore: SessionStore;
  readonly sessionStreams: SessionStreams;
  readonly users: Users;
  readonly guard: SignInGuard;
  readonly knownBrowsers: KnownBrowsers;
  readonly feed: Feed;
  readonly notifications: Notifications;
  readonly viewers: Viewers;
  readonly pageViews: PageViewCounter;
  readonly greetings: Greetings;
  readonly connectionWatch: ConnectionWatch;
  close(): Promise<void>;
}

const SECOND = 1000;
/** How soon a change in the number of viewers is published. */
const VIEWERS_INTERVAL = 250;
const HOUR = 3_600_000;
const MAX_PAGES_VIEWED = 500;
const MAX_PAGES_COUNTED = 2000;

/** Assembles the parts. One function, longer than others, since all of them meet here and nowhere else. */
export async function createServices({
  config,
  log,
  clock,
  passwordCost,
}: ServiceOptions): Promise<Services> {
  const startedAt = clock.now();
  const db = await openDatabase(config.database, (error) => log.warn({ err: error }, 'database'));
  const hub = await openHub(config, log);
  const nodes = createNodes(hub);
  const { node } = config;
  const announce = createAnnounce(hub, log);
  const outbox = createOutbox({ db, hub, clock, log });
  await outbox.publish();
  const limits = createRateLimits(config.ratesPerMinute, clock, (request) => String(currentUser(request).id));

  const sessionStreams = createSessionStreams(hub);
  const sessionStore = new SessionStore(db, clock, sessionStreams.end);
  const { sessionSecret: secret, sessionLifetime: lifetime } = config;

  const onCount = (): void => void dashboard.tellTotals();
  const feed = await createFeed({ db, outbox, clock, onCount });
  const viewers = createViewers({
    hub,
    announce,
    leads: nodes.leads,
    shared: isShared(config),
    maxPages: MAX_PAGES_VIEWED,
  });
  const pageViews = await createPageViews({ db, outbox, clock, log, onCount, maxPages: MAX_PAGES_COUNTED });
  const sampler = createSampler({
    hub,
    clock,
    usersOnline: sessionStreams.users,
    greetedBytes: () => greetings.bytes(),
    posts: feed.count,
    pageViews: pageViews.total,
  });
  const dashboard = createDashboard({
    hub,
    sampler,
    announce,
    node,
    nodes,
    clock,
    interval: SECOND,
    startedAt,
  });
  const connectionWatch = createConnectionWatch({ hub, announce, node, clock });
  const greetings = createGreetings({ viewers, dashboard, connectionWatch });

  async function prune(): Promise<void> {
    try {
      await Promise.all([sessionStore.prune(), pageViews.prune(), outbox.prune(), feed.prune()]);
    } catch (error) {
      log.error({ err: error }, 'old rows not deleted');
    }
  }
  const repeating = [
    repeat(clock, () => void dashboard.tick(), SECOND),
    repeat(clock, () => void connectionWatch.tick(), SECOND),
    repeat(clock, () => void viewers.tick(), VIEWERS_INTERVAL),
    repeat(clock, () => void prune(), HOUR),
    ...(isShared(config) ? [followOthers({ hub, clock, log, feed, pageViews, viewers, outbox })] : []),
  ];

  return {
    db,
    hub,
    shared: isShared(config),
    outbox,
    limits,
    readSession: readSession({ store: sessionStore, secret, lifetime }),
    sessionStore,
    sessionStreams,
    guard: createSignInGuard({ clock, failures: config.signInFailures }),
    knownBrowsers: createKnownBrowsers(secret),
    users: createUsers(db, createPasswords(passwordCost), clock),
    feed,
    notifications: createNotifications(db),
    viewers,
    pageViews,
    greetings,
    connectionWatch,
    async close() {
      for (const stop of repeating) stop();
      sampler.close();
      await pageViews.flush();
      await outbox.close();
      await hub.close();
      await db.destroy();
    },
  };
}
