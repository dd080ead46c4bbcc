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

/** `/metrics`, in the text format of Prometheus. @returns the server's own registry, for the parts that count. */
export function registerMetrics(
  app: FastifyInstance,
  { hub, publicApp }: Pick<ServerContext, 'hub' | 'publicApp'>,
): Registry {
  if (processRegistry === undefined) {
    processRegistry = new Registry();
    collectDefaultMetrics({ register: processRegistry });
  }
  const own = new Registry();
  hubMetrics(hub).register(own);
  countRequests(publicApp, own);
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
  return own;
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
