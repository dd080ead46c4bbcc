import type { Observer } from '../server/part.ts';

/** The trace that a request belongs to. */
export interface TraceContext {
  readonly traceId: string;
  /** Of the caller's span. */
  readonly spanId: string;
  readonly flags: number;
}

const SHAPE = /^(?!ff)[\da-f]{2}-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(?:$|-)/;

/** Reads a `traceparent` header: https://www.w3.org/TR/trace-context/#traceparent-header */
export function parseTraceparent(header: string | readonly string[] | undefined): TraceContext | undefined {
  const [, traceId, spanId, flags] = (typeof header === 'string' && SHAPE.exec(header)) || [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, flags: Number.parseInt(flags, 16) };
}

/** The traces of the events that were published here last, by the events' cursors. */
export class RecentTraces implements Observer {
  readonly #traceIds = new Map<string, string>();
  readonly #size: number;

  constructor(size = 1000) {
    this.#size = size;
  }

  readonly published: NonNullable<Observer['published']> = (_events, published, { request }) => {
    const trace = parseTraceparent(request.headers['traceparent']);
    if (trace === undefined) return;
    for (const { cursor } of published) this.#traceIds.set(cursor, trace.traceId);
    for (const cursor of this.#traceIds.keys()) {
      if (this.#traceIds.size <= this.#size) return;
      this.#traceIds.delete(cursor);
    }
  };

  of(cursor: string): string | undefined {
    return this.#traceIds.get(cursor);
  }
}
