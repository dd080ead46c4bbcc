import type { Request } from 'express';

/** The value of a cookie as it was sent; the first one, if there are several of that name. */
export function readCookie(request: Request, name: string): string | undefined {
  for (const pair of (request.get('Cookie') ?? '').split(';')) {
    const [key, value] = pair.trim().split('=', 2);
    if (key === name) return value;
  }
  return undefined;
}
