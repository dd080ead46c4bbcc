import type { FastifyRequest } from 'fastify';
import { describe, expect, test } from 'vitest';
import type { Publication } from '../server/part.ts';
import { RecentTraces, parseTraceparent } from './trace-context.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

describe('a traceparent', () => {
  test('has the trace, the caller’s span and flags', () => {
    expect(parseTraceparent(`00-${TRACE}-${SPAN}-01`)).toEqual({ traceId: TRACE, spanId: SPAN, flags: 1 });
  });

  test('of a later version may have more', () => {
    expect(parseTraceparent(`01-${TRACE}-${SPAN}-00-more`)).toEqual({
      traceId: TRACE,
      spanId: SPAN,
      flags: 0,
    });
  });

  test.each([
    undefined,
    '',
    'x',
    [`00-${TRACE}-${SPAN}-01`, `00-${TRACE}-${SPAN}-01`],
    `ff-${TRACE}-${SPAN}-01`,
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-1`,
    `00-${TRACE}-${SPAN}-01x`,
    `00-${TRACE}${SPAN}-01`,
  ])('that makes no sense is ignored: %j', (header) => {
    expect(parseTraceparent(header)).toBeUndefined();
  });
});

describe('the traces of recent events', () => {
  function publish(traces: RecentTraces, cursor: string, traceparent?: string): void {
    const request = { headers: { traceparent } } as unknown as FastifyRequest;
    traces.published([], [{ cursor, seq: 1, duplicate: false }], { request } as Publication);
  }

  test('are found by cursor, as many as there is room for', () => {
    const traces = new RecentTraces(2);
    for (const cursor of ['e.1', 'e.2', 'e.3']) publish(traces, cursor, `00-${TRACE}-${SPAN}-01`);
    publish(traces, 'e.4');
    expect(['e.1', 'e.2', 'e.3', 'e.4'].map((cursor) => traces.of(cursor))).toEqual([
      undefined,
      TRACE,
      TRACE,
      undefined,
    ]);
  });
});
