import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Hub as EventHub } from 'tidings';
import { forbidden, unauthorized } from 'tidings';
import { createError, createMatcherSet } from 'tidings/transport';
import type { Access } from '../access.ts';
import { headersOf } from '../answers.ts';
import type { Hub } from '../hub.ts';
import { EARLIEST, idOfCursor } from '../identifiers.ts';
import { MATCHER_TYPES, type MatcherType } from '../matchers.ts';
import { RESERVED_TYPE } from '../publish.ts';
import type { ActiveSubscriptions } from './active.ts';
import { type SubscriptionDocument, collectionId } from './document.ts';

/** The most subscriptions of one answer: the rest is left out, as the draft allows. */
const MAX_LISTED = 1000;

export interface SubscriptionsApiDeps {
  readonly events: EventHub;
  readonly access: Access;
  readonly subscriptions: ActiveSubscriptions;
}

/** `GET` of all subscriptions, those by one matcher, or one of them. */
export function createSubscriptionsApi(
  hub: Hub,
  { events, access, subscriptions }: SubscriptionsApiDeps,
): (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply> {
  return async (request, reply) => {
    const [path = ''] = (request.raw.url ?? '').split('?', 1);
    const { grant, permissions } = await access.visitorOf(request);
    if (grant.credential === undefined) throw unauthorized('The subscriptions need an access token.');
    // The path is the topic, as it stands there.
    if (!createMatcherSet(permissions.subscribe).matchesTopic(hub.names.onLog(path)))
      throw forbidden('The token doesn’t allow these subscriptions.');
    // Before they are listed: what changes meanwhile comes after it.
    const cursor = events.cursor();
    const document = find(path, hub, subscriptions);
    const last = cursor.endsWith('.0') ? EARLIEST : idOfCursor(cursor);
    return reply
      .headers(headersOf(hub, request))
      .header(
        'link',
        `<${hub.url.href}>; rel="mercure"; last-event-id="${last}"; type="${RESERVED_TYPE}"; content-type="application/json"`,
      )
      .header('content-type', 'application/json')
      .header('cache-control', 'no-cache')
      .send(Buffer.from(JSON.stringify(document)));
  };
}

interface Collection {
  readonly id: string;
  readonly type: 'subscriptions';
  readonly subscriptions: readonly SubscriptionDocument[];
}

/** @throws {TidingsError} `request/not-found` (404). */
function find(
  path: string,
  { url: { subscriptionsPath } }: Hub,
  subscriptions: ActiveSubscriptions,
): SubscriptionDocument | Collection {
  const parts = path.slice(subscriptionsPath.length).split('/').slice(1).map(decode);
  const [type, text] = parts;
  if (parts.length === 0) return collect(path, subscriptions.all());
  if ((MATCHER_TYPES as readonly unknown[]).includes(type) && text !== undefined) {
    const all = `${collectionId(subscriptionsPath, { type: type as MatcherType, text })}/`;
    if (parts.length === 2) return collect(path, matching(subscriptions.all(), all));
    // However the client has encoded it.
    const document = parts.length === 3 ? findOne(matching(subscriptions.all(), all), parts[2]) : undefined;
    if (document !== undefined) return document;
  }
  throw createError('request/not-found', 'There is no such subscription.');
}

function findOne(
  documents: Iterable<SubscriptionDocument>,
  subscriber: string | undefined,
): SubscriptionDocument | undefined {
  for (const document of documents) if (document.subscriber === subscriber) return document;
  return undefined;
}

function* matching(
  documents: Iterable<SubscriptionDocument>,
  begin: string,
): Generator<SubscriptionDocument> {
  for (const document of documents) if (document.id.startsWith(begin)) yield document;
}

function collect(id: string, documents: Iterable<SubscriptionDocument>): Collection {
  const listed: SubscriptionDocument[] = [];
  for (const document of documents) {
    if (listed.length === MAX_LISTED) break;
    listed.push(document);
  }
  return { id, type: 'subscriptions', subscriptions: listed };
}

/** @throws {TidingsError} `request/not-found` (404). */
function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch (cause) {
    throw createError('request/not-found', 'There is no such subscription.', { cause });
  }
}
