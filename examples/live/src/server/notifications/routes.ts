import express from 'express';
import type { Router } from 'express';
import type { Hub } from 'tidings';
import { z } from 'zod';
import { ROUTES, userTopic } from '../../shared/api.ts';
import type { NotificationList, UnreadCount } from '../../shared/api.ts';
import { currentUser, requireUser } from '../auth/sessions.ts';
import type { Outbox } from '../events/outbox.ts';
import { jsonBody, parseInput, parseQuery } from '../http/input.ts';
import { methodNotAllowed } from '../http/problem.ts';
import type { RateLimits } from '../http/rate-limits.ts';
import { pageSchema } from '../http/schemas.ts';
import { createNotifications } from './notifications.ts';
import type { Notifications } from './notifications.ts';

const readUpTo = z.strictObject({ upTo: z.number().int().positive() });

export interface NotificationRoutesOptions {
  readonly notifications: Notifications;
  readonly hub: Hub;
  readonly outbox: Outbox;
  readonly limits: RateLimits;
}

export function notificationRoutes(options: NotificationRoutesOptions): Router {
  const { notifications, hub, outbox, limits } = options;
  const router = express.Router();

  router
    .route(ROUTES.notifications)
    .get(requireUser, async (request, response) => {
      const user = currentUser(request);
      const query = parseQuery(pageSchema, request);
      // Before the query, as with posts.
      const cursor = hub.cursor();
      const found = await notifications.list(user, query);
      const unread = await notifications.countUnread(user.id);
      const next = found.length === query.limit ? (found.at(-1)?.id ?? null) : null;
      response.json({ cursor, unread, notifications: found, next } satisfies NotificationList);
    })
    .all(methodNotAllowed('GET'));

  router
    .route(ROUTES.notificationsRead)
    .put(requireUser, limits.changing, jsonBody(), async (request, response) => {
      const user = currentUser(request);
      const { upTo } = parseInput(readUpTo, request.body);
      const unread = await outbox.commit(async (transaction, tell) => {
        const own = createNotifications(transaction);
        const changed = await own.markRead(user, upTo);
        const data = { unread: await own.countUnread(user.id), readUpTo: upTo };
        // The user's other pages.
        if (changed) tell({ topics: userTopic(user.id), type: 'notifications:unread', data, private: true });
        return data.unread;
      });
      response.json({ unread } satisfies UnreadCount);
    })
    .all(methodNotAllowed('PUT'));

  return router;
}
