import express from 'express';
import type { RequestHandler, Router } from 'express';
import { z } from 'zod';
import { LIMITS, ROUTES } from '../../shared/api.ts';
import type { User } from '../../shared/api.ts';
import type { Clock } from '../lib/clock.ts';
import { jsonBody, parseInput } from '../http/input.ts';
import { methodNotAllowed } from '../http/problem.ts';
import type { KnownBrowsers } from './known-browsers.ts';
import { describeSession, endSession, renew, startSession } from './sessions.ts';
import type { SignInGuard } from './sign-in-guard.ts';
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

// Signing in needs no rules for new passwords.
const credentials = z.strictObject({
  name: z.string().max(LIMITS.nameMax),
  password: z.string().max(LIMITS.passwordMax),
});

export interface AuthRoutesOptions {
  readonly users: Users;
  readonly guard: SignInGuard;
  readonly knownBrowsers: KnownBrowsers;
  readonly clock: Clock;
  /** How often an address may sign in or up. */
  readonly limit: RequestHandler;
  /** Ends the streams of somebody who has signed out, at other processes too. */
  readonly signedOut: (user: User) => Promise<void>;
}

export function authRoutes(options: AuthRoutesOptions): Router {
  const { users, guard, knownBrowsers, clock, limit, signedOut } = options;
  const router = express.Router();

  router
    .route(ROUTES.users)
    .post(limit, jsonBody(), async (request, response) => {
      const { name, password } = parseInput(newUser, request.body);
      await startSession(request, await users.add(name, password), clock.now());
      knownBrowsers.remember(response, name);
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
      const browser = knownBrowsers.recognise(request, name);
      const user = await guard.watch(name, browser, () => users.check(name, password));
      await startSession(request, user, clock.now());
      knownBrowsers.remember(response, name);
      response.json(describeSession(request));
    })
    .delete(async (request, response) => {
      const { user } = request.session;
      await endSession(request);
      if (user !== undefined) await signedOut(user);
      response.clearCookie('tidings_session').status(204).end();
    })
    .all(methodNotAllowed('GET', 'POST', 'DELETE'));

  return router;
}
