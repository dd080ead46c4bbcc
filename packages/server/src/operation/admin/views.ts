import type { FastifyInstance } from 'fastify';
import type { ConnectionInfo, ConnectionPhase, Matcher } from 'tidings';
import { createError } from 'tidings/transport';
import type { AdminContext } from './index.ts';
import { VERSION } from '../../version.ts';
import { inSlices } from '../../server/in-slices.ts';
import { numberIn, queryOf } from './query.ts';

/** How many topics of a connection are listed. */
const TOPICS_LISTED = 20;
const PHASES: readonly string[] = ['opening', 'behind', 'live', 'ending'] satisfies ConnectionPhase[];

const ORDERS: Readonly<Record<string, (a: ConnectionInfo, b: ConnectionInfo) => number>> = {
  newest: (a, b) => b.connectedAt - a.connectedAt,
  oldest: (a, b) => a.connectedAt - b.connectedAt,
  lag: (a, b) => b.lag - a.lag,
  bytes: (a, b) => b.bytes - a.bytes,
};

/** The present state: counters, nodes, connections, topics, presence. */
export function registerViews(app: FastifyInstance, context: AdminContext): void {
  const { hub, phase, development, webhooks } = context;
  const startedAt = Date.now();

  app.get('/stats', async (request) => {
    queryOf(request, []);
    const { log, ready, started } = await hub.health();
    const { nodes, ...cluster } = hub.stats({ cluster: true });
    return {
      version: VERSION,
      now: Date.now(),
      startedAt,
      phase: phase(),
      development,
      health: { ready, caughtUp: started, log: { up: log.up, took: log.took } },
      stats: hub.stats(),
      cluster: { ...cluster, nodes: nodes.length },
    };
  });

  app.get('/nodes', (request) => {
    queryOf(request, []);
    return { now: Date.now(), nodes: hub.stats({ cluster: true }).nodes };
  });

  app.get('/connections', async (request) => {
    const query = queryOf(request, ['q', 'topic', 'subject', 'phase', 'sort', 'limit']);
    const limit = numberIn(query, 'limit', 100, 1000);
    const sort = query.get('sort') ?? 'newest';
    const order = Object.hasOwn(ORDERS, sort) ? ORDERS[sort] : undefined;
    if (order === undefined)
      throw createError(
        'request/invalid-query',
        `Expected \`sort\` to be ${Object.keys(ORDERS).join(' or ')}.`,
      );
    const asked = query.get('phase');
    if (asked !== null && !PHASES.includes(asked))
      throw createError('request/invalid-query', `Expected \`phase\` to be ${PHASES.join(' or ')}.`);
    const all = hub.connections();
    const matching: ConnectionInfo[] = [];
    await inSlices(all, (connection) => {
      if (isAskedFor(connection, query)) matching.push(connection);
    });
    const connections = matching.toSorted(order).slice(0, limit).map(toView);
    return { now: Date.now(), total: all.length, matching: matching.length, connections };
  });

  app.get('/topics', async (request) => {
    const query = queryOf(request, ['q', 'limit']);
    const limit = numberIn(query, 'limit', 100, 1000);
    const text = query.get('q') ?? '';
    const counts = new Map<string, { readonly matcher: Matcher; connections: number }>();
    await inSlices(matchersOf(hub.connections()), (matcher) => {
      const key = typeof matcher === 'string' ? matcher : `\n${matcher.pattern}`;
      const known = counts.get(key);
      if (known !== undefined) known.connections += 1;
      else if (textOf(matcher).includes(text)) counts.set(key, { matcher, connections: 1 });
    });
    const topics = [...counts.values()].toSorted((a, b) => b.connections - a.connections).slice(0, limit);
    return {
      total: counts.size,
      topics: topics.map(({ matcher, connections }) => ({
        ...(typeof matcher === 'string' ? { topic: matcher } : matcher),
        connections,
      })),
    };
  });

  app.get('/webhooks', (request) => {
    queryOf(request, []);
    return { now: Date.now(), webhooks: webhooks.views() };
  });

  app.get('/presence', (request) => {
    const topic = queryOf(request, ['topic']).get('topic');
    if (topic === null || topic === '')
      throw createError('request/invalid-query', 'Say whose presence you want: ?topic=…');
    return { topic, ...hub.presence(topic) };
  });
}

function isAskedFor({ id, subject, remote, topics, phase }: ConnectionInfo, query: URLSearchParams): boolean {
  const text = query.get('q');
  return (
    (query.get('topic') === null || topics.some((topic) => textOf(topic) === query.get('topic'))) &&
    (query.get('subject') ?? subject) === subject &&
    (query.get('phase') ?? phase) === phase &&
    (text === null ||
      id.startsWith(text) ||
      subject?.includes(text) === true ||
      remote?.includes(text) === true ||
      topics.some((topic) => textOf(topic).includes(text)))
  );
}

function toView({ topics, ...connection }: ConnectionInfo): object {
  return { ...connection, topics: topics.slice(0, TOPICS_LISTED), topicCount: topics.length };
}

function* matchersOf(connections: readonly ConnectionInfo[]): Generator<Matcher> {
  for (const { topics } of connections) yield* topics;
}

function textOf(matcher: Matcher): string {
  return typeof matcher === 'string' ? matcher : matcher.pattern;
}
