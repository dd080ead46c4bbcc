import express from 'express';
import type { RequestHandler, Router } from 'express';
import type { Hub } from 'tidings';
import { z } from 'zod';
import { LIMITS, ROUTES } from '../../shared/api.ts';
import type { Post, PostList } from '../../shared/api.ts';
import { currentUser, requireUser } from '../auth/sessions.ts';
import type { Database } from '../database/schema.ts';
import { jsonBody, parseInput, parseQuery } from '../http/input.ts';
import { idSchema, pageSchema, randomIdSchema } from '../http/schemas.ts';
import { methodNotAllowed } from '../http/problem.ts';
import type { RateLimits } from '../http/rate-limits.ts';
import type { Feed } from './feed.ts';
import { createPosts } from './posts.ts';

const newPost = z.strictObject({
  text: z
    .string()
    .trim()
    .min(1, 'Write something.')
    .max(LIMITS.postLength, `Use at most ${LIMITS.postLength} characters.`)
    .refine((text) => text.isWellFormed() && !text.includes('\0'), 'This is not valid text.'),
  key: randomIdSchema.optional(),
});

const path = z.object({ id: idSchema });

export interface FeedRoutesOptions {
  readonly db: Database;
  readonly hub: Hub;
  readonly feed: Feed;
  readonly limits: RateLimits;
}

export function feedRoutes({ db, hub, feed, limits }: FeedRoutesOptions): Router {
  const router = express.Router();
  const posts = createPosts(db);

  router
    .route(ROUTES.posts)
    .get(async (request, response) => {
      const { before, limit } = parseQuery(pageSchema, request);
      // Read before the query: posts are saved first and published afterwards, so a post missing here is yet to come.
      const cursor = hub.cursor();
      const found = await posts.list({ before, limit, viewer: request.session.user });
      const next = found.length === limit ? (found.at(-1)?.id ?? null) : null;
      response.json({ cursor, posts: found, next } satisfies PostList);
    })
    .post(requireUser, limits.posting, jsonBody(), async (request, response) => {
      const { text, key } = parseInput(newPost, request.body);
      const post = await feed.add(currentUser(request), text, key);
      response.status(201).location(`${ROUTES.posts}/${post.id}`);
      response.json({ ...post, liked: false } satisfies Post);
    })
    .all(methodNotAllowed('GET', 'POST'));

  router
    .route(`${ROUTES.posts}/:id`)
    .get(async (request, response) => {
      const { id } = parseInput(path, request.params);
      response.json((await posts.get(id, request.session.user)) satisfies Post);
    })
    .delete(requireUser, limits.changing, async (request, response) => {
      const { id } = parseInput(path, request.params);
      await feed.remove(currentUser(request), id);
      response.status(204).end();
    })
    .all(methodNotAllowed('GET', 'DELETE'));

  const setLike =
    (liked: boolean): RequestHandler =>
    async (request, response) => {
      const { id } = parseInput(path, request.params);
      response.json(await feed.setLike(currentUser(request), id, liked));
    };
  router
    .route(`${ROUTES.posts}/:id/like`)
    .put(requireUser, limits.changing, setLike(true))
    .delete(requireUser, limits.changing, setLike(false))
    .all(methodNotAllowed('PUT', 'DELETE'));

  return router;
}
