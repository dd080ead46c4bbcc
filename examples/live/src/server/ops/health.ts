import type { RequestHandler } from 'express';
import type { Health } from '../../shared/api.ts';

/** The process's state, as far as others need it. */
export interface Lifecycle {
  draining: boolean;
}

/** Lets each connection end with its answer while draining, instead of waiting for another request. */
export function endConnections(lifecycle: Lifecycle): RequestHandler {
  return (_request, response, next) => {
    if (lifecycle.draining) response.set('Connection', 'close');
    next();
  };
}

/** 503 while draining, which keeps load balancers from sending new clients. */
export function health(lifecycle: Lifecycle): RequestHandler {
  return (_request, response) => {
    const body: Health = { status: lifecycle.draining ? 'draining' : 'ok' };
    response
      .status(lifecycle.draining ? 503 : 200)
      .set('Cache-Control', 'no-store')
      .json(body);
  };
}
