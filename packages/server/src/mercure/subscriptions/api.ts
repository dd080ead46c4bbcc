import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Hub as EventHub } from 'tidings';
import { forbidden, unauthorized } from 'tidings';
import { createError, createMatcherSet } from 'tidings/transport';
import { inSlices } from '../../server/in-slices.ts';
import type { Access } from '../access.ts';
import { headersOf } from '../answers.ts';
import type { Hub } from '../hub.ts';
import { EARLIEST, idOfCursor } from '../identifiers.ts';
import { MATCHER_TYPES, type MatcherType } from '../matchers.ts';
import { RESERVED_TYPE } from '../publish.ts';
import type { ActiveSubscriptions } from './active.ts';
import { type SubscriptionDocument, collectionId, documentId } from './document.ts';

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
    // Before they are listed: changes meanwhile come after it.
    const cursor = events.cursor();
    const document = await find(path, hub, subscriptions);
    const last = cursor.endsWith('.0') ? EARLIEST : idOfCursor(cursor);
    return reply
      .headers(headersOf(hub, request))
      .header(
        'link',
        `<${hub.url.href}>; rel="mercure"; last-event-id="${last}"; type="${RESERVED_TYPE}"; content-type="application/json"`,
      )
      .header('content-type', 'application/json')
      .header('cache-control', 'no-cache')
      .send(document);
  };
}

/** @returns JSON. @throws {TidingsError} `request/not-found` (404). */
async function find(
  path: string,
  { url: { subscriptionsPath } }: Hub,
  subscriptions: ActiveSubscriptions,
): Promise<Buffer> {
  const parts = path.slice(subscriptionsPath.length).split('/').slice(1).map(decode);
  const [type, text, subscriber] = parts;
  if (parts.length === 0) return listOf(path, subscriptions.all());
  if ((MATCHER_TYPES as readonly unknown[]).includes(type) && text !== undefined) {
    const matcher = { type: type as MatcherType, text };
    if (parts.length === 2)
      return listOf(path, subscriptions.all(), `${collectionId(subscriptionsPath, matcher)}/`);
    // However the client has encoded it.
    const document =
      parts.length === 3 && subscriber !== undefined
        ? subscriptions.find(documentId(subscriptionsPath, matcher, subscriber))
        : undefined;
    if (document !== undefined) return Buffer.from(JSON.stringify(document));
  }
  throw createError('request/not-found', 'There is no such subscription.');
}

/** The collection `id`, as JSON: of those whose own id begins like this. Encoded bit by bit, since there may be very many. */
export async function listOf(
  id: string,
  documents: Iterable<SubscriptionDocument>,
  begin = '',
): Promise<Buffer> {
  const listed: Buffer[] = [];
  await inSlices(documents, (document) => {
    if (!document.id.startsWith(begin)) return undefined;
    if (listed.length === MAX_LISTED) return 'enough';
    listed.push(Buffer.from((listed.length === 0 ? '' : ',') + JSON.stringify(document)));
    return undefined;
  });
  const head = `{"id":${JSON.stringify(id)},"type":"subscriptions","subscriptions":[`;
  return Buffer.concat([Buffer.from(head), ...listed, Buffer.from(']}')]);
}

/** @throws {TidingsError} `request/not-found` (404). */
function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch (cause) {
    throw createError('request/not-found', 'There is no such subscription.', { cause });
  }
}
