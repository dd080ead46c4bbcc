import { createHash, randomUUID } from 'node:crypto';
import type { Request, RequestHandler } from 'express';

const COOKIE = 'tidings_person';
const YEAR = 31_536_000_000;
const SECRET = /^[0-9a-f-]{36}$/;

/** The visitor who makes a request. The cookie is the secret; this is a name that may be known. */
export function personOf(req: Request): string {
  const { person } = req as Request & { person?: string };
  if (person === undefined) throw new Error('The request did not go through `recognize`.');
  return person;
}

/** Recognizes a browser by its cookie, and gives it one. */
export const recognize: RequestHandler = (req, res, next) => {
  let secret = cookieOf(req);
  if (secret === undefined) {
    secret = randomUUID();
    res.cookie(COOKIE, secret, { httpOnly: true, sameSite: 'lax', maxAge: YEAR, secure: req.secure });
  }
  const person = createHash('sha256').update(secret).digest('hex').slice(0, 32);
  Object.assign(req, { person });
  next();
};

/** Browsers say where a request comes from; another site has no business here. */
export const refuseOtherSites: RequestHandler = (req, res, next) => {
  const site = req.get('sec-fetch-site');
  if (req.method === 'GET' || site === undefined || site === 'same-origin' || site === 'none') return next();
  res.status(403).json({ title: 'Forbidden', detail: 'Requests of other sites are refused.' });
};

function cookieOf(req: Request): string | undefined {
  const found = (req.headers.cookie ?? '')
    .split(';')
    .map((pair) => pair.trim())
    .find((pair) => pair.startsWith(`${COOKIE}=`))
    ?.slice(COOKIE.length + 1);
  return found !== undefined && SECRET.test(found) ? found : undefined;
}
