import { createHash } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { consoleFiles } from './console-files.ts';

/** Nothing from elsewhere, nothing inline, in nobody's frame. */
const HEADERS = {
  'cache-control': 'no-cache',
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
} as const;

/** The console at `/console/`: a page over the admin API. It holds no secret, so it needs no token itself. */
export function registerConsole(app: FastifyInstance, logger: Logger): void {
  const files = consoleFiles();
  // Only when the sources run without a build.
  if (files === undefined) return logger.warn('the console has not been built');
  for (const url of ['/', '/console']) app.get(url, (_request, reply) => reply.redirect('/console/'));
  for (const { name, content, type } of files) {
    const etag = `"${createHash('sha256').update(content).digest('base64url').slice(0, 22)}"`;
    app.get(`/console/${name === 'index.html' ? '' : name}`, (request, reply) => {
      void reply.headers({ ...HEADERS, etag });
      if (request.headers['if-none-match'] === etag) return reply.code(304).send();
      return reply.type(type).send(content);
    });
  }
}
