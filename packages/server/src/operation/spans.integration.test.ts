import { type Context, type Span, type SpanContext, type SpanOptions, trace } from '@opentelemetry/api';
import type { FastifyRequest } from 'fastify';
import type { ConnectionEnd, ConnectionInfo } from 'tidings';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { collectGarbage } from '../../../tidings/test/collect-garbage.ts';
import { ask } from '../../../tidings/test/http/client.ts';
import { until } from '../../../tidings/test/http/deadline.ts';
import { type InProcess, startInProcess } from '../../test/in-process.ts';
import { createSpans } from './spans.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

interface Made {
  readonly name: string;
  readonly options: SpanOptions;
  readonly parent: SpanContext | undefined;
}

/** The spans that an SDK would export. */
const spans: Made[] = [];
let server: InProcess;

beforeAll(async () => {
  const tracer = {
    startSpan(name: string, options: SpanOptions = {}, context?: Context) {
      const parent = context === undefined ? undefined : trace.getSpanContext(context);
      return { end: () => void spans.push({ name, options, parent }) } as unknown as Span;
    },
    startActiveSpan: () => {
      throw new Error('Spans are made when they are over.');
    },
  };
  trace.setGlobalTracerProvider({ getTracer: () => tracer });
  server = await startInProcess({ 'tracing.enabled': true });
});
afterAll(async () => {
  await server.close();
  trace.disable();
});

test('publishing is a span within the caller’s trace', async () => {
  await server.publish({ topics: 'a', data: 'not in the span' }, { traceparent: `00-${TRACE}-${SPAN}-01` });
  await until('the span', () => spans.some(({ name }) => name === 'tidings publish'));
  const [span] = spans.filter(({ name }) => name === 'tidings publish');
  expect(span?.parent).toMatchObject({ traceId: TRACE, spanId: SPAN, traceFlags: 1, isRemote: true });
  expect(span?.options.attributes).toMatchObject({
    'messaging.destination.name': 'a',
    'messaging.batch.message_count': 1,
    'tidings.cursor': expect.any(String),
  });
  expect(JSON.stringify(spans)).not.toContain('not in the span');
});

test('a stream is a span once it is over, as long as it was', async () => {
  const before = Date.now();
  const { frames, cut } = await ask(`${server.publicUrl}/v1/events?topic=a`);
  await frames.nextEvent();
  expect(spans.some(({ name }) => name === 'tidings stream')).toBe(false);
  cut();
  await until('the span', () => spans.some(({ name }) => name === 'tidings stream'));
  const span = spans.find(({ name }) => name === 'tidings stream');
  expect(span?.parent).toBeUndefined();
  expect(span?.options.attributes).toMatchObject({ 'tidings.end': 'left', 'tidings.topics': ['a'] });
  expect(span?.options.startTime).toBeGreaterThanOrEqual(before);
});

test('a stream’s span is within the caller’s trace, and until then nothing is kept of the request', async () => {
  const observer = await createSpans({ addHook: () => {} } as never);
  const connection = { id: 'traced', topics: [], connectedAt: Date.now() } as unknown as ConnectionInfo;
  const headers = { traceparent: `00-${TRACE}-${SPAN}-01` };
  let request: FastifyRequest | undefined = { headers } as unknown as FastifyRequest;
  const weak = new WeakRef(request);
  const onEnd = observer.connected?.(connection, request);
  request = undefined;
  // A weak reference lasts until the end of the job that made it.
  await new Promise(setImmediate);
  collectGarbage();
  expect(weak.deref()).toBeUndefined();
  onEnd?.({ reason: 'left', delivered: 0, bytes: 0 } as unknown as ConnectionEnd);
  const span = spans.find(({ options }) => options.attributes?.['tidings.connection'] === 'traced');
  expect(span?.parent).toMatchObject({ traceId: TRACE, spanId: SPAN });
});
