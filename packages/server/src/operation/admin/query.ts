import type { FastifyRequest } from 'fastify';
import type { Matcher } from 'tidings';
import { createError, likelyName } from 'tidings/transport';

/**
 * The parameters of a request's URL.
 *
 * @throws {TidingsError} `request/invalid-query` for names that are not known: a misspelt filter would show everything.
 */
export function queryOf(request: FastifyRequest, known: readonly string[]): URLSearchParams {
  const at = request.url.indexOf('?');
  const query = new URLSearchParams(at === -1 ? '' : request.url.slice(at + 1));
  for (const name of query.keys()) {
    if (known.includes(name)) continue;
    const likely = likelyName(name, known);
    const advice = likely === undefined ? `Known are ${known.join(', ')}.` : `Did you mean \`${likely}\`?`;
    throw createError('request/invalid-query', `There is no parameter \`${name}\`. ${advice}`);
  }
  return query;
}

/** @throws {TidingsError} `request/invalid-query`. */
export function numberIn(query: URLSearchParams, name: string, fallback: number, max: number): number {
  const text = query.get(name);
  if (text === null) return fallback;
  const value = Number(text);
  if (/^\d{1,9}$/.test(text) && value >= 1 && value <= max) return value;
  throw createError('request/invalid-query', `Expected \`${name}\` to be a whole number from 1 to ${max}.`);
}

/** `topic` and `pattern`, as often as they occur. */
export function matchersIn(query: URLSearchParams): readonly Matcher[] {
  return [...query.getAll('topic'), ...query.getAll('pattern').map((pattern) => ({ pattern }))];
}
