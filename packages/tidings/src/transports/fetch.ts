import type { Connection, Sink } from '../hub/connection.ts';
import type { Hub } from '../hub/hub.ts';
import { assertCors } from './cors.ts';
import type { HandlerOptions } from './handler-options.ts';
import { type Acceptance, negotiate } from './negotiation.ts';

/** Bytes that wait in a response's stream before the connection falls behind, as a socket's buffer would hold. */
const HIGH_WATER_MARK = 65_536;

/**
 * Serves the hub's events to `Request → Response`: Hono, Next.js route handlers, Bun, Deno, service workers.
 * A `Request` doesn't know its peer: give `address` if limits per address are wanted.
 *
 * The promise rejects with what the app's own functions threw, for the framework to handle.
 *
 * @throws {TidingsError} `hub/invalid-option`.
 */
export function sse(hub: Hub, options: HandlerOptions<Request> = {}): (request: Request) => Promise<Response> {
  assertCors(options.cors);
  return async (request) => {
    const facts = {
      method: request.method,
      query: new URL(request.url).searchParams,
      header: (name: string) => request.headers.get(name) ?? undefined,
      remote: options.address?.(request),
      protocol: 'fetch',
      gone: () => request.signal.aborted,
    };
    const outcome = await negotiate(hub, options, facts, request);
    if ('answer' in outcome) {
      const { status, headers, body } = outcome.answer;
      return new Response(request.method === 'HEAD' ? null : (body ?? null), { status, headers });
    }
    if ('acceptance' in outcome) return toResponse(outcome.acceptance, request.signal);
    return new Response(null, { status: 499, statusText: 'Client Closed Request' });
  };
}

function toResponse({ connection, headers, greeting }: Acceptance, signal: AbortSignal): Response {
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const onAbort = (): void => {
          connection.closed();
          controller.error(signal.reason);
        };
        signal.addEventListener('abort', onAbort);
        connection.onClose(() => signal.removeEventListener('abort', onAbort));
        connection.open(toSink(controller, connection), greeting);
      },
      pull: () => connection.drained(),
      cancel: () => connection.closed(),
    },
    new ByteLengthQueuingStrategy({ highWaterMark: HIGH_WATER_MARK }),
  );
  return new Response(body, { headers });
}

function toSink(controller: ReadableStreamDefaultController<Uint8Array>, connection: Connection): Sink {
  return {
    write(bytes) {
      controller.enqueue(bytes);
      return (controller.desiredSize ?? 0) > 0;
    },
    end(bytes) {
      controller.enqueue(bytes);
      controller.close();
      connection.closed();
    },
    destroy() {
      controller.error(new Error('The stream was ended by the server.'));
    },
  };
}

export type { Authorization, CorsOptions, Greeting, HandlerOptions } from './handler-options.ts';
