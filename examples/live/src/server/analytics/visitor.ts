import { randomBytes } from 'node:crypto';
import type { Request, RequestHandler } from 'express';

const COOKIE = 'tidings_visitor';
const VALID = /^[A-Za-z0-9_-]{22}$/;
const YEAR = 31_536_000_000;

/**
 * Gives each browser a random number that tells two people from two tabs, and nothing else: it is stored nowhere
 * but in that browser, and ends in no log. Pages do this as well as streams: a browser that opens two tabs at once
 * would otherwise be given a number by each of their streams.
 */
export const identifyVisitor: RequestHandler = (request, response, next) => {
  if (visitorOf(request) === undefined) {
    const visitor = randomBytes(16).toString('base64url');
    // For the handlers of this very request.
    response.locals[COOKIE] = visitor;
    response.cookie(COOKIE, visitor, {
      httpOnly: true,
      sameSite: 'lax',
      secure: request.secure,
      maxAge: YEAR,
    });
  }
  next();
};

/** The visitor who sends this request; known once `identifyVisitor` has run. */
export function visitorOf(request: Request): string | undefined {
  const made: unknown = request.res?.locals[COOKIE];
  return typeof made === 'string' ? made : readCookie(request.get('Cookie') ?? '');
}

function readCookie(header: string): string | undefined {
  for (const pair of header.split(';')) {
    const [name, value] = pair.trim().split('=', 2);
    if (name === COOKIE && value !== undefined && VALID.test(value)) return value;
  }
  return undefined;
}
