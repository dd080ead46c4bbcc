import type { Sink } from '../hub/delivery/sink.ts';
import { type OwnConnection, gatewayOf } from '../hub/gateway.ts';
import type { Hub } from '../hub/hub.ts';
import { readJson } from '../http/body.ts';
import { CompressedSink } from '../http/compressed-sink.ts';
import { assertHandlerOptions } from '../http/check-options.ts';
import type { HandlerOptions } from '../http/handler-options.ts';
import { type Acceptance, negotiate } from '../http/negotiation.ts';

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
export function sse(
  hub: Hub,
  options: HandlerOptions<Request> = {},
): (request: Request) => Promise<Response> {
  const gateway = gatewayOf(hub);
  assertHandlerOptions(options);
  return async (request) => {
    const facts = {
      method: request.method,
      query: new URL(request.url).searchParams,
      header: (name: string) => request.headers.get(name) ?? undefined,
      remote: options.address?.(request),
      protocol: 'fetch',
      json: () => readJson(request.body ?? []),
      gone: () => request.signal.aborted,
    };
    const begin = (acceptance: Acceptance): Response => toResponse(acceptance, request.signal);
    const outcome = await negotiate(gateway, options, facts, request, begin);
    if ('answer' in outcome) {
      const { status, headers, body } = outcome.answer;
      return new Response(request.method === 'HEAD' || body === '' ? null : body, { status, headers });
    }
    if ('stream' in outcome) return outcome.stream;
    return new Response(null, { status: 499, statusText: 'Client Closed Request' });
  };
}

function toResponse(
  { connection, headers, compression, greeting }: Acceptance,
  signal: AbortSignal,
): Response {
  // Before the stream, since it throws if the app's headers can't be sent.
  const init = { headers: new Headers(headers) };
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const onAbort = (): void => {
          connection.closed();
          // Not as an error: servers log those, and it is no news that peers leave.
          controller.close();
        };
        if (signal.aborted) return onAbort();
        signal.addEventListener('abort', onAbort);
        connection.onClose(() => signal.removeEventListener('abort', onAbort));
        const sink = toSink(controller, connection);
        connection.open(
          compression === undefined ? sink : new CompressedSink(sink, compression.begin()),
          greeting,
        );
      },
      pull: () => connection.drained(),
      cancel: () => connection.closed(),
    },
    new ByteLengthQueuingStrategy({ highWaterMark: HIGH_WATER_MARK }),
  );
  return new Response(body, init);
}

function toSink(controller: ReadableStreamDefaultController<Uint8Array>, connection: OwnConnection): Sink {
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

export type { Authorization, CorsOptions, Greeting, HandlerOptions } from '../http/handler-options.ts';
