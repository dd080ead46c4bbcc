import { gatewayOf } from '../hub/gateway.ts';
import type { Hub } from '../hub/hub.ts';
import { createError } from '../protocol/errors.ts';
import { bodyAlreadyRead, readJson } from '../http/body.ts';
import { checkAddress } from '../http/answers.ts';
import { assertHandlerOptions } from '../http/check-options.ts';
import type { HandlerOptions } from '../http/handler-options.ts';
import { type Acceptance, negotiate } from '../http/negotiation.ts';
import { toResponse } from './stream.ts';

/** For frameworks that may have read the request's body already, and keep the result, as Hono does. */
export interface ParsedBody {
  readonly json: () => Promise<unknown>;
}

/**
 * Serves the hub's events to `Request → Response`: Hono, Next.js route handlers, Bun, Deno, service workers. A
 * `Request` doesn't know its peer: pass `address` if you want limits per address. In Hono, pass `context.req` as the
 * second argument: middleware may have read the body.
 *
 * The promise rejects with whatever the app's own functions threw, for the framework to handle.
 *
 * @throws {TidingsError} `hub/invalid-option`.
 */
export function sse(
  hub: Hub,
  options: HandlerOptions<Request> = {},
): (request: Request, body?: ParsedBody) => Promise<Response> {
  const gateway = gatewayOf(hub);
  assertHandlerOptions(options);
  return async (request, body) => {
    const { searchParams: query, host } = new URL(request.url);
    const remote = options.address === undefined ? undefined : checkAddress(options.address(request));
    const facts = {
      method: request.method,
      query,
      header: (name: string) => request.headers.get(name) ?? (name === 'host' ? host : undefined),
      remote,
      protocol: 'fetch',
      json: () => readBody(request, body, remote),
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

async function readBody(
  request: Request,
  parsed: ParsedBody | undefined,
  remote: string | undefined,
): Promise<unknown> {
  if (!request.bodyUsed) return readJson(request.body ?? [], remote);
  if (parsed === undefined) throw bodyAlreadyRead('the `Request`');
  try {
    return await parsed.json();
  } catch (cause) {
    throw createError('request/invalid-body', 'The body is not JSON.', { cause });
  }
}

export type { Authorization, CorsOptions, HandlerOptions } from '../http/handler-options.ts';
