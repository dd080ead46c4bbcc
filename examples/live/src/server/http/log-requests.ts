import type { RequestHandler } from 'express';
import type { Logger } from '../ops/logger.ts';

/** Logs one line per request, once it is over. Without the query, which may contain a visitor's id. */
export function logRequests(log: Logger): RequestHandler {
  return (request, response, next) => {
    const started = performance.now();
    const { method, path } = request;
    response.once('close', () => {
      const line = {
        method,
        path,
        status: response.statusCode,
        ms: Math.round(performance.now() - started),
        ...(response.writableFinished ? {} : { aborted: true }),
      };
      log.debug(line, 'request');
    });
    next();
  };
}
