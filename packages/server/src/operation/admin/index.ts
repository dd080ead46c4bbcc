import type { FastifyInstance } from 'fastify';
import type { ServerContext } from '../../server/part.ts';
import { assertAdmin } from '../admin-token.ts';
import type { RecentTraces } from '../trace-context.ts';
import type { Webhooks } from '../webhooks/index.ts';
import { registerOrders } from './orders.ts';
import { registerTail } from './tail.ts';
import { registerViews } from './views.ts';

export interface AdminContext extends ServerContext {
  readonly traces: RecentTraces;
  readonly webhooks: Webhooks;
  /** The present token; undefined if there is none. */
  readonly token: () => string | undefined;
}

/** The admin API at `/admin/v1`: what the console shows and does, for scripts as well. Every request needs the token. */
export function registerAdmin(internalApp: FastifyInstance, context: AdminContext): void {
  internalApp.register(
    async (app) => {
      app.addHook('onRequest', async (request, reply) => {
        void reply.header('cache-control', 'no-store');
        assertAdmin(request, context.token());
      });
      registerViews(app, context);
      registerOrders(app, context);
      registerTail(app, context);
    },
    { prefix: '/admin/v1' },
  );
}
