import type { CurrentTerms, Gateway } from '../hub/gateway.ts';
import type { ConnectionTerms } from '../hub/connect-request.ts';
import type { Change, Changed } from '../protocol/control.ts';
import { createError, forbidden } from '../protocol/errors.ts';
import { type Matcher, matcherKey } from '../protocol/matcher.ts';
import { type MatcherSet, createMatcherSet } from '../protocol/matcher-set.ts';
import { type Checked, authorize } from './authorization.ts';
import type { HandlerOptions } from './handler-options.ts';

/**
 * Changes an open connection's topics or renews its authorization, as the JSON body of a POST says. Calls `authorize`
 * anew, for all of the connection's topics.
 *
 * @throws {TidingsError} `request/invalid-body` (400), `connection/unknown` (404), what connecting would throw.
 */
export function changeConnection<Req>(
  gateway: Gateway,
  options: HandlerOptions<Req>,
  body: unknown,
  req: Req,
): Promise<Changed> {
  const { connection, secret, add = [], drop = [] } = parseChange(body);
  return gateway.change({ connection, secret, handler: options }, async (current) => {
    if (options.topics !== undefined && add.length + drop.length > 0) {
      throw forbidden('What connections to this URL are for is fixed.');
    }
    const wanted = gateway.wanted(applyChange(current.wanted.matchers, add, drop));
    const authorization = await authorize(options, wanted, req);
    if (authorization.subject !== current.subject)
      throw forbidden('The connection is somebody else’s; connect anew.');
    return { wanted, ...confine(current, wanted, authorization) };
  });
}

/**
 * Without a subject, nothing shows that whoever changes a connection also opened it. The connection may lose rights,
 * but it gains only topics that it was granted from the beginning or that anybody may read.
 */
function confine(
  current: CurrentTerms,
  wanted: MatcherSet,
  { subject, granted, expiresAt, issuedAt, tokenId }: Checked,
): Omit<ConnectionTerms, 'wanted'> {
  if (subject !== undefined) return { granted, expiresAt, issuedAt, tokenId };
  const wasNamed = current.granted.matchers.length > 0;
  if (wasNamed && !wanted.matchers.every((matcher) => current.granted.covers(matcher))) {
    throw forbidden('A connection without a subject can gain no topics; connect anew.');
  }
  return {
    granted: createMatcherSet(granted.matchers.filter((matcher) => current.granted.covers(matcher))),
    expiresAt: earlier(expiresAt, current.expiresAt),
    issuedAt,
    tokenId,
  };
}

function earlier(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}

/** Idempotent: a client that got no answer can send its request again. */
function applyChange(
  before: readonly Matcher[],
  add: readonly Matcher[],
  drop: readonly Matcher[],
): readonly Matcher[] {
  const wanted = new Map(before.map((matcher) => [matcherKey(matcher), matcher]));
  for (const matcher of drop) wanted.delete(matcherKey(matcher));
  for (const matcher of add) wanted.set(matcherKey(matcher), matcher);
  return [...wanted.values()];
}

function parseChange(body: unknown): Change {
  const { connection, secret, add, drop } = (body ?? {}) as Record<string, unknown>;
  if (typeof connection === 'string' && typeof secret === 'string' && isMatchers(add) && isMatchers(drop)) {
    return { connection, secret, add: add ?? [], drop: drop ?? [] };
  }
  throw createError(
    'request/invalid-body',
    'Send JSON with `connection` and `secret` of the welcome, and `add` and `drop` as lists of topics or {"pattern"}.',
  );
}

function isMatchers(value: unknown): value is readonly Matcher[] | undefined {
  return value === undefined || (Array.isArray(value) && value.every(isMatcher));
}

function isMatcher(value: unknown): value is Matcher {
  return typeof value === 'string' || typeof (value as { pattern?: unknown } | null)?.pattern === 'string';
}
