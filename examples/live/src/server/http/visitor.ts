import { randomBytes } from 'node:crypto';
import type { Request, RequestHandler, Response } from 'express';
import { readCookie } from './cookies.ts';

const COOKIE = 'tidings_visitor';
const VALID = /^[A-Za-z0-9_-]{22}$/;
const YEAR = 31_536_000_000;

/**
 * Gives each browser a random number that tells two people from two tabs, and nothing else: it is stored nowhere
 * but in that browser, and ends in no log. Pages do this as well as streams: a browser that opens two tabs at once
 * would otherwise be given a number by each of their streams.
 */
export const identifyVisitor: RequestHandler = (request, response, next) => {
  response.locals[COOKIE] = known(request) ?? sendNew(request, response);
  next();
};

/** The visitor who sends this request, which `identifyVisitor` has seen. */
export function visitorOf(request: Request): string {
  return request.res?.locals[COOKIE] as string;
}

function sendNew(request: Request, response: Response): string {
  const visitor = randomBytes(16).toString('base64url');
  response.cookie(COOKIE, visitor, {
    httpOnly: true,
    sameSite: 'lax',
    secure: request.secure,
    maxAge: YEAR,
  });
  return visitor;
}

/** The first cookie decides: nonsense in it is no visitor. */
function known(request: Request): string | undefined {
  const visitor = readCookie(request, COOKIE);
  return visitor !== undefined && VALID.test(visitor) ? visitor : undefined;
}
