import express from 'express';
import type { Request, RequestHandler } from 'express';
import type { z } from 'zod';
import { LIMITS } from '../../shared/api.ts';
import { HttpProblem } from './problem.ts';

/** Reads a JSON body, and refuses other bodies rather than treating them as absent. */
export function jsonBody(): RequestHandler {
  const parse = express.json({ limit: LIMITS.bodyBytes, strict: false });
  return (request, response, next) => {
    if (request.is('application/json') === false) {
      throw new HttpProblem(415, 'body/unsupported-type', 'Send the body as application/json.');
    }
    // The parser has the same limit, but reads on to the body's end before it says so, which may never come.
    let received = 0;
    let done = false;
    const finish = (error?: unknown): void => {
      if (done) return;
      done = true;
      request.off('data', count);
      next(error);
    };
    const count = (chunk: Buffer): void => {
      received += chunk.length;
      if (received > LIMITS.bodyBytes) finish(new HttpProblem(413, 'body/too-large', tooLarge));
    };
    parse(request, response, finish);
    if (!done) request.on('data', count);
  };
}

const tooLarge = `A body may have ${LIMITS.bodyBytes} bytes.`;

/** @throws HttpProblem 400 `request/invalid`, saying which field is wrong and how */
export function parseInput<S extends z.ZodType>(schema: S, input: unknown): z.infer<S> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const errors = result.error.issues.map((issue) => ({
    field: issue.path.map(String).join('.'),
    message: issue.message,
  }));
  const detail = errors
    .map(({ field, message }) => (field === '' ? message : `${field}: ${message}`))
    .join(' ');
  throw new HttpProblem(400, 'request/invalid', detail, { errors });
}

/** The query of a request as it was sent; a parameter given several times is a list. */
export function searchParams(request: Request): URLSearchParams {
  const start = request.originalUrl.indexOf('?');
  return new URLSearchParams(start === -1 ? '' : request.originalUrl.slice(start));
}

/** @throws HttpProblem 400 `request/invalid` for a parameter that is given twice, or that the schema refuses */
export function parseQuery<S extends z.ZodType>(schema: S, request: Request): z.infer<S> {
  const values: Record<string, string | string[]> = {};
  const params = searchParams(request);
  for (const name of new Set(params.keys())) {
    const all = params.getAll(name);
    values[name] = all.length === 1 ? (all[0] ?? '') : all;
  }
  return parseInput(schema, values);
}
