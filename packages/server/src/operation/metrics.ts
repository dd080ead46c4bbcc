import type { FastifyInstance } from 'fastify';
import { Counter, Registry, collectDefaultMetrics } from 'prom-client';
import { hubMetrics } from 'tidings/metrics';
import type { ServerContext } from '../server/part.ts';

/** The process's own (memory, CPU, event loop, garbage collection): once, however many servers it runs. */
let processRegistry: Registry | undefined;

/**
 * Milliseconds for which one answer serves all requests. The process's figures walk its open files and handles, which takes
 * long with thousands of connections.
 */
const ANSWER_FOR = 1000;

/** The metrics of the hub and of the public port. Others add theirs. */
export function createMetrics({ hub, publicApp }: Pick<ServerContext, 'hub' | 'publicApp'>): Registry {
  const registry = new Registry();
  hubMetrics(hub).register(registry);
  countRequests(publicApp, registry);
  return registry;
}

/** `/metrics`, in the text format of Prometheus. */
export function registerMetrics(app: FastifyInstance, own: Registry): void {
  if (processRegistry === undefined) {
    processRegistry = new Registry();
    collectDefaultMetrics({ register: processRegistry });
  }
  const both = [processRegistry, own];
  let latest: { readonly at: number; readonly text: Promise<string> } | undefined;

  app.get('/metrics', async (_request, reply) => {
    const at = performance.now();
    if (latest === undefined || at - latest.at >= ANSWER_FOR) {
      latest = { at, text: Registry.merge(both).metrics() };
    }
    return reply
      .header('content-type', own.contentType)
      .header('cache-control', 'no-store')
      .send(await latest.text);
  });
}

/** Streams count when they end, like every answer. */
function countRequests(publicApp: FastifyInstance, registry: Registry): void {
  const requests = new Counter({
    name: 'tidings_http_requests_total',
    help: 'Answers of the public port, by route and status.',
    labelNames: ['method', 'route', 'status'],
    registers: [registry],
  });
  publicApp.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'none';
    requests.inc({ method: request.method, route, status: reply.statusCode });
    done();
  });
}
