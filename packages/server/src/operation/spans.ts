import type { Context, Tracer } from '@opentelemetry/api';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ConnectionEnd, ConnectionInfo, Matcher } from 'tidings';
import { createError } from 'tidings/transport';
import type { Observer } from '../server/part.ts';
import { VERSION } from '../version.ts';
import { parseTraceparent } from './trace-context.ts';

type Api = typeof import('@opentelemetry/api');

/**
 * Spans of OpenTelemetry for publishing and for streams, made when they are over: without a cost while events flow. An SDK that
 * you load first (`NODE_OPTIONS=--import=…`) takes them; without one, they go nowhere.
 *
 * @throws {TidingsError} `package/missing`.
 */
export async function createSpans(publicApp: FastifyInstance): Promise<Observer> {
  const api = await loadApi();
  const tracer = api.trace.getTracer('@tidings/server', VERSION);
  const startedAt = new WeakMap<FastifyRequest, number>();
  publicApp.addHook('onRequest', (request, _reply, done) => {
    startedAt.set(request, Date.now());
    done();
  });
  return {
    connected: (connection, request) => onEnd(api, tracer, connection, contextOf(api, request)),
    published(events, published, { request }) {
      const topics = [...new Set(events.flatMap((event) => event.topics))];
      const options = {
        kind: api.SpanKind.PRODUCER,
        startTime: startedAt.get(request) ?? Date.now(),
        attributes: {
          'messaging.system': 'tidings',
          'messaging.operation.type': 'send',
          'messaging.batch.message_count': events.length,
          ...(topics.length === 1 && { 'messaging.destination.name': topics[0] ?? '' }),
          'tidings.cursor': published.at(-1)?.cursor ?? '',
        },
      };
      tracer.startSpan('tidings publish', options, contextOf(api, request)).end();
    },
  };
}

/** Made outside of `connected`, whose scope would keep the request for as long as the stream lasts. */
function onEnd(
  api: Api,
  tracer: Tracer,
  connection: ConnectionInfo,
  context: Context,
): (end: ConnectionEnd) => void {
  return ({ reason, delivered, bytes }) => {
    const options = {
      kind: api.SpanKind.SERVER,
      startTime: connection.connectedAt,
      attributes: {
        'messaging.system': 'tidings',
        'messaging.operation.type': 'receive',
        'tidings.connection': connection.id,
        'tidings.topics': connection.topics.slice(0, 10).map(textOf),
        'tidings.delivered': delivered,
        'tidings.bytes': bytes,
        'tidings.end': reason,
      },
    };
    tracer.startSpan('tidings stream', options, context).end();
  };
}

/** The caller's trace, if it sent one. */
function contextOf(api: Api, request: FastifyRequest): Context {
  const parent = parseTraceparent(request.headers['traceparent']);
  const outside = api.ROOT_CONTEXT;
  if (parent === undefined) return outside;
  const { traceId, spanId, flags: traceFlags } = parent;
  return api.trace.setSpanContext(outside, { traceId, spanId, traceFlags, isRemote: true });
}

async function loadApi(): Promise<Api> {
  try {
    return await import('@opentelemetry/api');
  } catch (cause) {
    const message =
      '`tracing.enabled` needs the package `@opentelemetry/api`: install it next to this server.';
    throw createError('package/missing', message, { cause, details: { package: '@opentelemetry/api' } });
  }
}

function textOf(matcher: Matcher): string {
  return typeof matcher === 'string' ? matcher : matcher.pattern;
}
