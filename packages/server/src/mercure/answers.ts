import type { FastifyReply, FastifyRequest } from 'fastify';
import { TidingsError } from 'tidings';
import { STREAM_HEADERS, corsHeaders, encodeFrame, toProblem } from 'tidings/transport';
import type { Hub } from './hub.ts';

/** Response fields that pages of other origins may read. */
const EXPOSED = 'Link, Mercure-Last-Event-ID, Retry-After, WWW-Authenticate';

/** The headers of every answer. */
export function headersOf({ cors }: Hub, request: FastifyRequest): Record<string, string> {
  const headers = corsHeaders(cors, request.headers.origin);
  const isAllowed = headers['access-control-allow-origin'] !== undefined;
  return isAllowed ? { ...headers, 'access-control-expose-headers': EXPOSED } : headers;
}

/**
 * Answers a failure. One that concerns the token has a challenge, https://www.rfc-editor.org/rfc/rfc6750#section-3, which
 * tells clients where the metadata is.
 */
export function sendError(
  error: unknown,
  { hub, hasToken }: { readonly hub: Hub; readonly hasToken: boolean },
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  reply.headers(headersOf(hub, request));
  if (!(error instanceof TidingsError) || error.status === undefined) throw error;
  const { retryAfter } = error.details;
  if (typeof retryAfter === 'number' && isEventSource(request)) return sendGently(error, retryAfter, reply);
  const challenge = challengeOf(error, hub, hasToken);
  const { status, headers, body } = toProblem(error);
  return reply
    .code(status)
    .headers({ ...headers, ...(challenge !== undefined && { 'www-authenticate': challenge }) })
    .send(body);
}

function challengeOf({ code, status }: TidingsError, { url }: Hub, hasToken: boolean): string | undefined {
  const metadata = `resource_metadata="${url.metadataHref}"`;
  if (status === 401) return hasToken ? `Bearer error="invalid_token", ${metadata}` : `Bearer ${metadata}`;
  if (status === 403) return `Bearer error="insufficient_scope", ${metadata}`;
  return code === 'auth/invalid-request' ? `Bearer error="invalid_request", ${metadata}` : undefined;
}

/** A native `EventSource` gives up for good on any status but 200, and its user would have to load the page again. */
function isEventSource({ headers, method }: FastifyRequest): boolean {
  return method === 'GET' && headers.accept?.trim().toLowerCase() === 'text/event-stream';
}

function sendGently({ code }: TidingsError, retryAfter: number, reply: FastifyReply): FastifyReply {
  // Clients that were refused together don't come back together.
  const retry = Math.round(retryAfter * 1000 * (1 + Math.random() / 2));
  return reply
    .code(200)
    .headers(STREAM_HEADERS)
    .send(`:${code}\n${encodeFrame({ retry })}`);
}
