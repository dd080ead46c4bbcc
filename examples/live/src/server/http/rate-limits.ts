import { rateLimit } from 'express-rate-limit';
import type { Request, RequestHandler } from 'express';
import type { Clock } from '../lib/clock.ts';
import { HttpProblem, sendProblem } from './problem.ts';
import { createRateStore } from './rate-store.ts';

export interface RateLimits {
  /** Attempts to sign in or up, per address. */
  readonly signIn: RequestHandler;
  /** New posts, per user. */
  readonly posting: RequestHandler;
  /** Likes, deletions and the like, per user. */
  readonly changing: RequestHandler;
  /** New event streams, per address. */
  readonly connecting: RequestHandler;
}

export interface RateLimitOptions {
  /** Requests per minute. */
  readonly signIn: number;
  readonly posting: number;
  readonly changing: number;
  readonly connecting: number;
}

const MINUTE = 60_000;
/** Addresses or users that one limit counts at a time. */
const MAX_COUNTED = 50_000;

/** @param userOf names the user of a request that has passed `requireUser` */
export function createRateLimits(
  options: RateLimitOptions,
  clock: Clock,
  userOf: (request: Request) => string,
): RateLimits {
  function limit(perMinute: number, what: string, perUser = false): RequestHandler {
    return rateLimit({
      store: createRateStore({ clock, window: MINUTE, max: MAX_COUNTED }),
      windowMs: MINUTE,
      limit: perMinute,
      identifier: what,
      standardHeaders: 'draft-8',
      legacyHeaders: false,
      // Anyone may send this header. TRUST_PROXY decides whether to believe it.
      validate: { xForwardedForHeader: false },
      // Without a key generator it is the address, IPv6 ones by their network.
      ...(perUser ? { keyGenerator: userOf } : {}),
      // It has already set `Retry-After`.
      handler: (_request, response) =>
        sendProblem(
          response,
          new HttpProblem(
            429,
            'limit/exceeded',
            `Too much ${what}: at most ${perMinute} per minute. Try again later.`,
          ),
        ),
    });
  }

  return {
    signIn: limit(options.signIn, 'signing in'),
    posting: limit(options.posting, 'posting', true),
    changing: limit(options.changing, 'liking and deleting', true),
    connecting: limit(options.connecting, 'connecting'),
  };
}
