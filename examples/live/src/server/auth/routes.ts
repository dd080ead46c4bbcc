import express from 'express';
import type { RequestHandler, Router } from 'express';
import { z } from 'zod';
import { LIMITS, ROUTES } from '../../shared/api.ts';
import type { Clock } from '../lib/clock.ts';
import { jsonBody, parseInput } from '../http/input.ts';
import { methodNotAllowed } from '../http/problem.ts';
import { describeSession, endSession, renew, startSession } from './sessions.ts';
import type { Users } from './users.ts';

const password = z
  .string()
  .min(LIMITS.passwordMin, `Use at least ${LIMITS.passwordMin} characters.`)
  .max(LIMITS.passwordMax, `Use at most ${LIMITS.passwordMax} characters.`);

const newUser = z.strictObject({
  name: z
    .string()
    .min(LIMITS.nameMin, `Use at least ${LIMITS.nameMin} characters.`)
    .max(LIMITS.nameMax, `Use at most ${LIMITS.nameMax} characters.`)
    .regex(/^[A-Za-z0-9_]*$/, 'Use letters, digits and _ only.'),
  password,
});

// Whoever signs in need not be told how a new password has to look.
const credentials = z.strictObject({
  name: z.string().max(LIMITS.nameMax),
  password: z.string().max(LIMITS.passwordMax),
});

export function authRoutes(users: Users, clock: Clock, limit: RequestHandler): Router {
  const router = express.Router();

  router
    .route(ROUTES.users)
    .post(limit, jsonBody(), async (request, response) => {
      const { name, password } = parseInput(newUser, request.body);
      await startSession(request, await users.add(name, password), clock.now());
      response.status(201).json(describeSession(request));
    })
    .all(methodNotAllowed('POST'));

  router
    .route(ROUTES.session)
    .get((request, response) => {
      renew(request, clock.now());
      response.json(describeSession(request));
    })
    .post(limit, jsonBody(), async (request, response) => {
      const { name, password } = parseInput(credentials, request.body);
      await startSession(request, await users.check(name, password), clock.now());
      response.json(describeSession(request));
    })
    .delete(async (request, response) => {
      await endSession(request);
      response.clearCookie('tidings_session').status(204).end();
    })
    .all(methodNotAllowed('GET', 'POST', 'DELETE'));

  return router;
}
