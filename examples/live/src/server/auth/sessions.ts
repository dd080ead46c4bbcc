import session from 'express-session';
import type { Request, RequestHandler } from 'express';
import type { SessionInfo, User } from '../../shared/api.ts';
import { HttpProblem } from '../http/problem.ts';
import type { SessionStore } from './session-store.ts';

const DAY = 86_400_000;

export interface SessionOptions {
  readonly store: SessionStore;
  readonly secret: string;
  /** Milliseconds until a session ends that is not renewed. */
  readonly lifetime: number;
}

/** Reads the session of a request. Writes nothing for requests without one. */
export function readSession({ store, secret, lifetime }: SessionOptions): RequestHandler {
  return session({
    store,
    secret,
    name: 'tidings_session',
    resave: false,
    saveUninitialized: false,
    // Not on every answer: `renew` does it once a day.
    rolling: false,
    cookie: { httpOnly: true, sameSite: 'lax', secure: 'auto', maxAge: lifetime },
  });
}

/** Refuses requests without a session: 401. */
export const requireUser: RequestHandler = (request, _response, next) => {
  currentUser(request);
  next();
};

/** @throws HttpProblem 401 `session/required` */
export function currentUser(request: Request): User {
  const { user } = request.session;
  if (user === undefined) throw new HttpProblem(401, 'session/required', 'Sign in first.');
  return user;
}

/** Starts a session under a new id, which makes one planted before the sign-in worthless. */
export async function startSession(request: Request, user: User, now: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    request.session.regenerate((error: unknown) => (error ? reject(toError(error)) : resolve()));
  });
  request.session.user = user;
  request.session.renewedAt = now;
  // Saved before it is announced: the next request must find it.
  await new Promise<void>((resolve, reject) => {
    request.session.save((error: unknown) => (error ? reject(toError(error)) : resolve()));
  });
}

/** Ends the session, if there is one. */
export async function endSession(request: Request): Promise<void> {
  // Every request has a session object; a stranger's has no session behind it that could end.
  if (request.session.user === undefined) return;
  await new Promise<void>((resolve, reject) => {
    request.session.destroy((error: unknown) => (error ? reject(toError(error)) : resolve()));
  });
}

/** Lets a session that is in use last longer. Once a day is enough, and spares the disk. */
export function renew(request: Request, now: number): void {
  const { renewedAt } = request.session;
  if (renewedAt === undefined || now - renewedAt < DAY) return;
  request.session.renewedAt = now;
  request.session.touch();
}

export function describeSession(request: Request): SessionInfo {
  const { user } = request.session;
  return { user: user ?? null, expiresAt: user === undefined ? null : sessionExpiry(request) };
}

/** When the session of this request ends, in milliseconds since 1970. */
export function sessionExpiry(request: Request): number {
  const { expires } = request.session.cookie;
  return expires === null || expires === undefined ? 0 : new Date(expires).getTime();
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
