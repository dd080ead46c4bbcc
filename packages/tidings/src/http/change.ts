import type { Hub } from '../hub/hub.ts';
import type { Change, Changed } from '../protocol/control.ts';
import { createError, forbidden } from '../protocol/errors.ts';
import { type Matcher, matcherKey } from '../protocol/matcher.ts';
import { authorize, checkWanted } from './authorization.ts';
import type { HandlerOptions } from './handler-options.ts';

/**
 * Changes what an open connection is for, or renews its authorization, as the JSON body of a POST says. What the
 * connection may read is asked of `authorize` anew, for all of its topics.
 *
 * @throws {TidingsError} `request/invalid-body` (400), `connection/unknown` (404), what connecting would throw.
 */
export async function changeConnection<Req>(
  hub: Hub,
  options: HandlerOptions<Req>,
  body: unknown,
  req: Req,
): Promise<Changed> {
  const { connection: id, secret, add = [], drop = [] } = parseChange(body);
  const connection = hub.find(id, secret);
  if (connection === undefined) {
    throw createError('connection/unknown', 'No such connection is open here; connect anew.');
  }
  if (options.topics !== undefined && add.length + drop.length > 0) {
    throw forbidden('What connections to this URL are for is fixed.');
  }
  for (;;) {
    const before = connection.request.wanted;
    const wanted = checkWanted(hub, applyChange(before.matchers, add, drop));
    const { subject, granted, expiresAt } = await authorize(options, wanted, req);
    if (subject !== connection.request.subject)
      throw forbidden('The connection is somebody else’s; connect anew.');
    if (connection.state === 'closed' || connection.state === 'ending') {
      throw createError('connection/unknown', 'The connection ended meanwhile; connect anew.');
    }
    // Another change came while authorize was asked: what it was asked for would undo that one.
    if (connection.request.wanted !== before) continue;
    const cursor = hub.change(connection, { wanted, granted, expiresAt });
    return { cursor, topics: wanted.matchers };
  }
}

/** Adding what is there changes nothing, so that a request which got no answer can be sent again. */
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
