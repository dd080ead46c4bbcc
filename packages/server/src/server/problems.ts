import { STATUS_CODES } from 'node:http';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { TidingsError } from 'tidings';
import { createError, toProblem } from 'tidings/transport';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;

/** Answers every failure with problem details (RFC 9457), as the library does. */
export function answerProblems(app: FastifyInstance, logger: Logger): void {
  app.setErrorHandler((error: FastifyError | TidingsError, request, reply) => {
    const problem = toTidingsError(error, request);
    if (problem.code === 'request/handler-failed')
      logger.error(
        { err: error, method: request.method, route: request.routeOptions.url },
        'a request failed',
      );
    return sendProblem(reply, problem);
  });
  app.setNotFoundHandler((request, reply) => sendProblem(reply, notFound(app, request, reply)));
}

export function sendProblem(reply: FastifyReply, error: TidingsError): FastifyReply {
  const { status, headers, body } = toProblem(error);
  const { allow, ...others } = headers;
  // The library's own `Allow` is that of a stream.
  return reply
    .code(status)
    .headers({
      // A client that tries again may reach a server that can.
      ...(status === 503 && { 'retry-after': '1' }),
      ...others,
      ...(allow !== undefined && !reply.hasHeader('allow') && { allow }),
    })
    .send(body);
}

/** Errors of Fastify, by their status: it has many codes for a few kinds of failure. */
function toTidingsError(error: FastifyError | TidingsError, request: FastifyRequest): TidingsError {
  if (error instanceof TidingsError && error.status !== undefined) return error;
  const status = error instanceof TidingsError ? 500 : (error.statusCode ?? 500);
  const cause = { cause: error };
  switch (status) {
    case 400:
      return createError('request/invalid-body', 'The body can’t be read: it is cut off, or no JSON.', cause);
    case 404:
      // Of a method that Fastify doesn't know, which only HTTP/2 lets through.
      return nothingHere();
    case 408:
      return createError('request/timeout', 'The request did not arrive in time.', cause);
    case 413:
      return createError('request/body-too-large', 'The body is larger than this server allows.', cause);
    case 415:
      return createError(
        'request/unsupported-media-type',
        `Expected a body of application/json, got ${mediaTypeOf(request)}.`,
        cause,
      );
    default:
      if (status >= 400 && status < 500)
        return createError('request/invalid-body', 'The request can’t be read.', cause);
      return createError('request/handler-failed', 'The server failed to handle the request.', cause);
  }
}

/** Without its parameters, and cut off: it comes from the client. */
function mediaTypeOf({ headers }: FastifyRequest): string {
  const [type = ''] = (headers['content-type'] ?? '').split(';', 1);
  return type === '' ? 'none' : JSON.stringify(type.trim().slice(0, 100));
}

function notFound(app: FastifyInstance, request: FastifyRequest, reply: FastifyReply): TidingsError {
  const [url = '/'] = request.url.split('?', 1);
  const allowed = METHODS.filter((method) => app.findRoute({ method, url }) !== null);
  if (allowed.length === 0) return nothingHere();
  void reply.header('allow', allowed.join(', '));
  return createError(
    'request/method-not-allowed',
    `Use ${allowed.join(' or ')} instead of ${request.method}.`,
  );
}

export function nothingHere(): TidingsError {
  return createError(
    'request/not-found',
    'There is nothing at this URL. See /openapi.json for what there is.',
  );
}

/** The answer to bytes that are no HTTP at all, written before there is a request. */
export function rawProblem(error: TidingsError): string {
  const { status, body } = toProblem(error);
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Error'}`,
    'content-type: application/problem+json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
    '',
    body,
  ].join('\r\n');
}
