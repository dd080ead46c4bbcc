import { STATUS_CODES } from 'node:http';
import type { ErrorRequestHandler, Request, RequestHandler, Response } from 'express';
import { TidingsError } from 'tidings';
import type { Problem } from '../../shared/api.ts';
import { QueueFullError } from '../lib/queue.ts';
import type { Logger } from '../ops/logger.ts';

export interface ProblemOptions {
  readonly errors?: { field: string; message: string }[];
  readonly headers?: Record<string, string>;
  readonly cause?: unknown;
}

/** Milliseconds to go on reading, and ignoring, a body that was refused. */
const LINGER = 2000;

/** The failure of a request, with details for its sender. Throw it from any handler. */
export class HttpProblem extends Error {
  override readonly name = 'HttpProblem';
  readonly status: number;
  readonly code: string;
  readonly errors: ProblemOptions['errors'];
  readonly headers: Record<string, string>;

  constructor(status: number, code: string, detail: string, options: ProblemOptions = {}) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.status = status;
    this.code = code;
    this.errors = options.errors;
    this.headers = options.headers ?? {};
  }
}

/** Answers with RFC 9457 problem details. */
export function sendProblem(response: Response, problem: HttpProblem): void {
  const body: Problem = {
    type: 'about:blank',
    title: STATUS_CODES[problem.status] ?? 'Error',
    status: problem.status,
    detail: problem.message,
    code: problem.code,
  };
  if (problem.errors !== undefined) body.errors = problem.errors;
  response.status(problem.status).set({ 'Cache-Control': 'no-store', ...problem.headers });
  response.type('application/problem+json').send(JSON.stringify(body));
}

/** For `.all` at the end of a route: the path exists, the method does not. */
export function methodNotAllowed(...methods: string[]): RequestHandler {
  const allow = methods.includes('GET') ? [...methods, 'HEAD'] : methods;
  return (request) => {
    throw new HttpProblem(
      405,
      'method/not-allowed',
      `${request.method} is not possible here, only ${allow.join(', ')}.`,
      { headers: { Allow: allow.join(', ') } },
    );
  };
}

export const notFound: RequestHandler = () => {
  throw new HttpProblem(404, 'route/not-found', 'There is nothing at this address.');
};

/** Turns a handler's error into an answer. Unexpected errors are logged and answered with a bare 500. */
export function answerErrors(log: Logger): ErrorRequestHandler {
  return (error: unknown, request, response, next) => {
    const problem = toProblem(error);
    if (problem.status >= 500) {
      log.error({ err: error, method: request.method, path: request.path }, 'request failed');
    }
    if (response.headersSent) {
      // Too late for an answer; Express then cuts the connection, to keep half a body from passing for all of it.
      next(error);
      return;
    }
    endWithRequest(request);
    sendProblem(response, problem);
  };
}

/**
 * Cuts a sender that keeps sending a refused body. Not at once: closing on data that was not read yet resets
 * the connection, and takes the answer with it.
 */
function endWithRequest(request: Request): void {
  if (request.complete) return;
  setTimeout(() => {
    if (!request.complete) request.socket.destroy();
  }, LINGER).unref();
}

function toProblem(error: unknown): HttpProblem {
  if (error instanceof HttpProblem) return error;
  if (error instanceof TidingsError && error.status !== undefined) {
    return new HttpProblem(error.status, error.code, error.message, { cause: error });
  }
  if (error instanceof QueueFullError) {
    const headers = { 'Retry-After': '5' };
    return new HttpProblem(
      503,
      'server/busy',
      'Too many people want this right now. Try again in a few seconds.',
      {
        headers,
        cause: error,
      },
    );
  }
  return fromExpress(error) ?? new HttpProblem(500, 'server/internal', 'Something went wrong on our side.');
}

const fromBodyParser: Record<string, readonly [status: number, code: string, detail: string]> = {
  'entity.parse.failed': [400, 'body/invalid-json', 'The body is not valid JSON.'],
  'entity.too.large': [413, 'body/too-large', 'The body is too large.'],
  'encoding.unsupported': [415, 'body/unsupported-encoding', 'This content encoding is not supported.'],
  'charset.unsupported': [415, 'body/unsupported-charset', 'The body has to be UTF-8.'],
  'request.aborted': [400, 'body/incomplete', 'The body ended early.'],
  'request.size.invalid': [400, 'body/incomplete', 'The body is not as long as its Content-Length.'],
};

/** Express and its body parser throw errors with a `status` and, some, with a `type`. */
function fromExpress(error: unknown): HttpProblem | undefined {
  if (!(error instanceof Error)) return undefined;
  const { status, type } = error as { status?: unknown; type?: unknown };
  const known = typeof type === 'string' ? fromBodyParser[type] : undefined;
  if (known !== undefined) return new HttpProblem(...known, { cause: error });
  if (typeof status === 'number' && status >= 400 && status < 500) {
    return new HttpProblem(status, 'request/invalid', 'The request is malformed.', { cause: error });
  }
  return undefined;
}
