import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Request, Response } from 'express';
import { ROUTES } from '../../shared/api.ts';
import { readCookie } from '../http/cookies.ts';
import { nameKey } from './users.ts';

/** Recognizes browsers that have signed in to an account before, by a cookie. The server stores nothing. */
export interface KnownBrowsers {
  /** The browser's own number, if it has signed in with this name before. */
  recognise(request: Request, name: string): string | undefined;
  /** Call it after a sign-in. The browser forgets a user who signed in before. */
  remember(response: Response, name: string): void;
}

const COOKIE = 'tidings_browser';
const YEAR = 31_536_000_000;

/** @param secret that which signs session cookies; this makes another one of it */
export function createKnownBrowsers(secret: string): KnownBrowsers {
  const key = createHmac('sha256', secret).update('known browsers').digest();

  function sign(browser: string, name: string): Buffer {
    return createHmac('sha256', key)
      .update(`${browser}.${nameKey(name)}`)
      .digest();
  }

  return {
    recognise(request, name) {
      const [browser = '', signature = ''] = (readCookie(request, COOKIE) ?? '').split('.');
      const given = Buffer.from(signature, 'base64url');
      const expected = sign(browser, name);
      return given.length === expected.length && timingSafeEqual(given, expected) ? browser : undefined;
    },
    remember(response, name) {
      const browser = randomBytes(16).toString('base64url');
      response.cookie(COOKIE, `${browser}.${sign(browser, name).toString('base64url')}`, {
        httpOnly: true,
        sameSite: 'strict',
        secure: response.req.secure,
        maxAge: YEAR,
        // Only signing in asks for it.
        path: ROUTES.session,
      });
    },
  };
}
