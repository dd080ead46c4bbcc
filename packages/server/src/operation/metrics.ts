import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Counter, Registry, collectDefaultMetrics } from 'prom-client';
import { hubMetrics } from 'tidings/metrics';
import type { Observers, ServerContext } from '../server/part.ts';

/** Metrics of the process (memory, CPU, event loop, garbage collection): once, however many servers it runs. */
let processRegistry: Registry | undefined;

/**
 * Milliseconds for which one answer serves all requests. The process's figures walk its open files and handles, which takes
 * long with thousands of connections.
 */
const ANSWER_FOR = 1000;

/** The metrics of the hub and of the public port. Others add theirs. */
export function createMetrics({
  hub,
  publicApp,
  observers,
}: Pick<ServerContext, 'hub' | 'publicApp' | 'observers'>): Registry {
  const registry = new Registry();
  hubMetrics(hub).register(registry);
  countRequests(publicApp, observers, registry);
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

/** Streams count when they end, like every answer. For Node, most of them are over as soon as they have begun. */
function countRequests(publicApp: FastifyInstance, observers: Observers, registry: Registry): void {
  const requests = new Counter({
    name: 'tidings_http_requests_total',
    help: 'Answers of the public port, by route and status.',
    labelNames: ['method', 'route', 'status'],
    registers: [registry],
  });
  const streams = new WeakSet<FastifyRequest>();
  publicApp.addHook('onResponse', (request, reply, done) => {
    if (!streams.has(request))
      requests.inc({ method: request.method, route: routeOf(request), status: reply.statusCode });
    done();
  });
  observers.add({
    connected(_connection, request) {
      streams.add(request);
      const { method } = request;
      const route = routeOf(request);
      return () => requests.inc({ method, route, status: 200 });
    },
  });
}

function routeOf(request: FastifyRequest): string {
  return request.routeOptions.url ?? 'none';
}
