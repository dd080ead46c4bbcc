import type { FastifyReply, FastifyRequest } from 'fastify';
import { type EventLog, type Matcher, type TidingsError, forbidden, unauthorized } from 'tidings';
import { formatCursor, parseCursor } from 'tidings/log';
import { describeRequest, openStream } from 'tidings/node';
import {
  type Gateway,
  type MatcherSet,
  type OwnConnection,
  type RequestFacts,
  STREAM_HEADERS,
  type Start,
  type Visit,
  acceptedCompression,
  createError,
  createMatcherSet,
} from 'tidings/transport';
import type { Observers } from '../server/part.ts';
import type { Access, Visitor } from './access.ts';
import { headersOf } from './answers.ts';
import { CostlyPatterns } from './costly-patterns.ts';
import { type Pairs, first, parseQuery } from './form.ts';
import { mercureFormat } from './format.ts';
import type { Hub } from './hub.ts';
import { EARLIEST, fromField, idOfCursor, startAfter, toField } from './identifiers.ts';
import { LEGACY, toSelector } from './legacy/selectors.ts';
import { type TypedMatcher, assertMatcher, readMatchers, toMatchers } from './matchers.ts';
import type { ActiveSubscriptions } from './subscriptions/active.ts';
import { mapInTurns } from './turns.ts';

export interface SubscribeDeps {
  readonly gateway: Gateway;
  readonly log: EventLog;
  readonly access: Access;
  readonly observers: Observers;
  /** Undefined if subscriptions aren't announced. */
  readonly subscriptions: ActiveSubscriptions | undefined;
}

/** `GET` of the hub: a stream of updates. */
export function createSubscribe(
  hub: Hub,
  deps: SubscribeDeps,
): (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply> {
  const { gateway, access } = deps;
  const costly = new CostlyPatterns();
  return async (request, reply) => {
    const facts: RequestFacts = { ...describeRequest(gateway, request.raw, reply.raw), remote: request.ip };
    facts.assertRoom?.();
    gateway.assertRoom({ remote: facts.remote });
    await gateway.ready();
    const visit = gateway.visit();
    try {
      const visitor = await access.visitorOf(request);
      const asked = await readSubscription(request, visitor, hub);
      if (request.method === 'HEAD')
        return reply.headers({ ...headersOf(hub, request), ...STREAM_HEADERS }).send();
      const wanted = gateway.wanted(asked.matchers);
      facts.assertRoom?.();
      const release = costly.take(asked.matchers);
      try {
        return await begin({ hub, deps, facts, request, reply, visitor, visit }, wanted, asked, release);
      } catch (error) {
        release();
        throw error;
      }
    } finally {
      visit.over();
    }
  };
}

/** A request to subscribe, taken apart. */
interface Asked {
  readonly typed: readonly TypedMatcher[];
  readonly matchers: readonly Matcher[];
  readonly lastEventId: string | undefined;
}

async function readSubscription(request: FastifyRequest, visitor: Visitor, hub: Hub): Promise<Asked> {
  const pairs = parseQuery(request.raw.url ?? '');
  const typed = readMatchers(pairs);
  const old = hub.legacy ? pairs.filter(([name]) => name === LEGACY.topic).map(([, text]) => text) : [];
  for (const text of old) assertMatcher(text);
  if (typed.length + old.length === 0) {
    const hint = pairs.some(([name]) => name === LEGACY.topic)
      ? ' ?topic= is of Mercure 0.x: see `mercure.legacy`.'
      : '';
    throw createError('topic/missing', `Say what to subscribe to: ?match=… or ?match_urlpattern=….${hint}`);
  }
  const matchers = await mapInTurns([...typed, ...old], (each) =>
    typeof each === 'string' ? toSelector(each, hub) : toMatchers(each, hub),
  );
  const all = matchers.flat();
  assertMayListen(all, visitor);
  return { typed, matchers: all, lastEventId: lastEventIdOf(request, pairs, hub) };
}

/**
 * Routing is not authorization: with a token of the protocol one may listen to any topic, and gets what isn't private. An API
 * key is none: it reads here what it reads elsewhere.
 */
function assertMayListen(matchers: readonly Matcher[], { grant }: Visitor): void {
  const isApiKey = grant.credential !== undefined && grant.claims === undefined;
  if (grant.credential !== undefined && !isApiKey) return;
  const open = createMatcherSet([...grant.subscribe, ...grant.private]);
  if (matchers.every((matcher) => open.covers(matcher))) return;
  if (isApiKey) throw forbidden('This API key may not read these topics.');
  throw unauthorized(
    'These topics need an access token: send it as `Authorization: Bearer …`, or as a cookie.',
  );
}

/** The field comes from a client that reconnects, and is newer than the URL. Undefined if there is neither; they may be empty. */
function lastEventIdOf(request: FastifyRequest, pairs: Pairs, { legacy }: Hub): string | undefined {
  const field = fromField(request.headers['last-event-id']?.toString());
  const names = legacy ? ['last_event_id', ...LEGACY.lastEventId] : ['last_event_id'];
  const parameter = names.map((name) => first(pairs, name)).find((value) => value !== undefined);
  return field || (parameter ?? field);
}

interface Begin {
  readonly hub: Hub;
  readonly deps: SubscribeDeps;
  readonly facts: RequestFacts;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly visitor: Visitor;
  readonly visit: Visit;
}

async function begin(
  { hub, deps, facts, request, reply, visitor, visit }: Begin,
  wanted: MatcherSet,
  { typed, lastEventId }: Asked,
  release: () => void,
): Promise<FastifyReply> {
  const { gateway, log, observers, subscriptions } = deps;
  const start = await startAfter(lastEventId, gateway);
  const { grant, permissions, expiresAt } = visitor;
  const connection = gateway.admit(
    {
      wanted,
      granted: createMatcherSet(permissions.subscribe),
      start,
      otherwise: EARLIEST,
      reconnects: true,
      subject: grant.subject,
      expiresAt,
      issuedAt: grant.issuedAt,
      tokenId: grant.tokenId,
      remote: facts.remote,
      userAgent: request.headers['user-agent'],
      protocol: facts.protocol,
      format: mercureFormat,
    },
    visit,
  );
  try {
    connection.onClose(release);
    const headers: Record<string, string> = { ...headersOf(hub, request), ...STREAM_HEADERS };
    if (lastEventId !== undefined) {
      const field = toField(await precedingId(connection, lastEventId, start, log));
      Object.assign(headers, {
        'mercure-last-event-id': field,
        ...(hub.legacy && { [LEGACY.lastEventIdField]: field }),
      });
    }
    await subscriptions?.begin(connection, typed, permissions);
    if (connection.info.phase === 'closed' || facts.gone()) throw endedEarly();
    // Until here it may be refused; then it is an answer like others, not a stream.
    connection.onClose(observers.connected(connection.info, request));
    const compression = acceptedCompression(gateway.compression, facts);
    if (compression !== undefined) Object.assign(headers, { 'content-encoding': compression.encoding });
    reply.hijack();
    // Node encodes what is beyond ASCII twice in a head that is sent by itself.
    const hijack = isAscii(headers['mercure-last-event-id'] ?? '');
    openStream(
      gateway,
      request.raw,
      reply.raw,
      { connection, headers, compression, greeting: '' },
      { hijack },
    );
    return reply;
  } catch (error) {
    connection.destroy();
    throw error;
  }
}

/**
 * The identifier of the update before the first one that is sent. The one that was asked for, if everything after it follows;
 * any other means that updates may be missing.
 */
async function precedingId(
  connection: OwnConnection,
  asked: string,
  start: Start,
  log: EventLog,
): Promise<string> {
  const { cursor, resumed } = await connection.locate();
  if (resumed && asked !== '') return asked;
  const isOldest = (parseCursor(cursor)?.seq ?? 0) <= log.floor;
  // It begins there, but some of what came after it is gone.
  const isAsked = typeof start === 'object' && formatCursor(start) === cursor;
  return isOldest || isAsked ? EARLIEST : idOfCursor(cursor);
}

function isAscii(text: string): boolean {
  return Buffer.byteLength(text, 'utf8') === text.length;
}

function endedEarly(): TidingsError {
  return createError('hub/unavailable', 'The connection was ended before it began.', {
    details: { retryAfter: 1 },
  });
}
