import express from 'express';
import type { Router } from 'express';
import type { Hub } from 'tidings';
import { z } from 'zod';
import { LIMITS, ROUTES } from '../../shared/api.ts';
import type { PageViews } from '../../shared/api.ts';
import { parseQuery } from '../http/input.ts';
import { methodNotAllowed } from '../http/problem.ts';
import { openToOtherSites } from '../http/security-headers.ts';
import { embedScript } from './embed.ts';
import type { PageViewCounter } from './page-views.ts';

const query = z.object({
  minutes: z.coerce.number().int().min(1).max(LIMITS.minutesMax).default(60),
});

export function analyticsRoutes(pageViews: PageViewCounter, hub: Hub): Router {
  const router = express.Router();

  router
    .route(ROUTES.pageViews)
    .get(async (request, response) => {
      const { minutes } = parseQuery(query, request);
      // Before the query, as with posts.
      const cursor = hub.cursor();
      response.json({ cursor, ...(await pageViews.read(minutes)) } satisfies PageViews);
    })
    .all(methodNotAllowed('GET'));

  router
    .route(ROUTES.embed)
    .get(openToOtherSites, (_request, response) => {
      response.set('Cache-Control', 'public, max-age=3600').type('text/javascript').send(embedScript);
    })
    .all(methodNotAllowed('GET'));

  return router;
}
