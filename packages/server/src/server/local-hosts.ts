import { isIP } from 'node:net';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { forbidden } from 'tidings';

/**
 * In development mode anybody may subscribe who can reach the server, so a page anywhere on the web must not be able to. One
 * whose own name is made to lead to this machine (DNS rebinding) would count as being of the server's origin.
 */
export function refuseForeignNames(app: FastifyInstance): void {
  app.addHook('onRequest', (request, _reply, done) => {
    const name = nameOf(request);
    if (isOwnName(name)) return done();
    const message = `In development mode the server is for this machine: ask it by the name localhost, not ${JSON.stringify(name.slice(0, 100))}. To run it for others, give it keys.`;
    done(forbidden(message));
  });
}

/** An address can't be made to lead elsewhere. */
export function isOwnName(name: string): boolean {
  return name === '' || name === 'localhost' || name.endsWith('.localhost') || isIP(name) !== 0;
}

/** The host of a request, without its port and without brackets. */
function nameOf(request: FastifyRequest): string {
  // Not Fastify's `host`: a page could set what a trusted proxy may.
  const { host = '', ':authority': authority = host } = request.headers as {
    host?: string;
    ':authority'?: string;
  };
  const url = `http://${authority}`;
  if (authority === '' || !URL.canParse(url)) return authority;
  return new URL(url).hostname.replace(/^\[|\]$/g, '');
}
