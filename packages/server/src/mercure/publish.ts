import type { FastifyReply, FastifyRequest } from 'fastify';
import { type EventInput, type TidingsError, forbidden, unauthorized } from 'tidings';
import { createError } from 'tidings/transport';
import type { Grant } from '../auth/authenticator.ts';
import type { Publisher } from '../server/publisher.ts';
import type { Access } from './access.ts';
import { headersOf } from './answers.ts';
import { WILDCARD, hasForbidden } from './characters.ts';
import { type Pairs, all, first, parseForm } from './form.ts';
import type { Hub } from './hub.ts';
import { isReserved } from './hub-url.ts';
import { EARLIEST, ID_TAG, RETRY_TAG, idOfCursor } from './identifiers.ts';

/** The type of the updates that the hub makes itself. */
export const RESERVED_TYPE = 'mercure';
/** Characters of an id, a type and a reconnection time. */
const MAX_FIELD_LENGTH = 255;

export interface PublishLimits {
  readonly topicsPerEvent: number;
  readonly topicLength: number;
}

export interface PublishDeps {
  readonly access: Access;
  readonly publisher: Publisher;
  readonly limits: PublishLimits;
}

/** `POST` to the hub: an update as a form. */
export interface Publish {
  /** Before the body is read: who may not publish can't make the server keep one either. */
  admit(request: FastifyRequest): Promise<void>;
  /** Answers with the update's identifier. */
  handle(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply>;
}

export function createPublish(hub: Hub, { access, publisher, limits }: PublishDeps): Publish {
  const grants = new WeakMap<FastifyRequest, Grant>();
  return {
    async admit(request) {
      const { grant } = await access.visitorOf(request);
      if (grant.credential === undefined)
        throw unauthorized('Publishing needs an access token: send it as `Authorization: Bearer …`.');
      assertNotForged(request, hub);
      publisher.assertRoom({ grant, request });
      grants.set(request, grant);
    },
    async handle(request, reply) {
      const grant = grants.get(request);
      if (grant === undefined || !Buffer.isBuffer(request.body)) throw unsupported();
      const event = toEvent(parseForm(request.body), hub, limits);
      const [published] = await publisher.publish([event], { grant, request, hasTagged: true });
      return reply
        .headers(headersOf(hub, request))
        .header('content-type', 'text/plain; charset=utf-8')
        .header('cache-control', 'no-store')
        .send(event.tags?.[ID_TAG] ?? idOfCursor(published?.cursor ?? ''));
    },
  };
}

/** A request without a body has no content type. */
function unsupported(): TidingsError {
  return createError(
    'request/unsupported-media-type',
    'Expected an update as application/x-www-form-urlencoded.',
  );
}

/**
 * A browser sends a cookie along whichever page has it make the request, so the request has to say which page it was: one of
 * the hub's own origin, or of an origin in `publish.origins`.
 *
 * @throws {TidingsError} `auth/forbidden` (403).
 */
function assertNotForged({ headers }: FastifyRequest, { publishOrigins }: Hub): void {
  // Other schemes, such as Basic, a browser sends along as well.
  if (/^Bearer\b/i.test(headers.authorization ?? '') || headers.cookie === undefined) return;
  const { referer } = headers;
  const from =
    headers.origin ?? (referer !== undefined && URL.canParse(referer) ? new URL(referer).origin : undefined);
  if (from === undefined) throw forbidden('A request with a cookie needs the header `Origin` or `Referer`.');
  if (publishOrigins.includes(from) || (URL.canParse(from) && new URL(from).host === headers.host)) return;
  throw forbidden(`Pages of ${from} may not publish with the user’s cookie.`);
}

/** @throws {TidingsError} with status 400 or 413. Fields that the draft doesn't know are ignored. */
export function toEvent(form: Pairs, hub: Hub, limits: PublishLimits): EventInput {
  const topics = all(form, 'topic');
  assertTopics(topics, hub, limits);
  const [id, type, retry] = ['id', 'type', 'retry'].map((name) => fieldOf(form, name));
  if (id !== undefined && (id.startsWith('#') || id === EARLIEST))
    throw createError('event/invalid-id', `An id doesn’t begin with "#", and is not "${EARLIEST}".`);
  if (type === RESERVED_TYPE)
    throw createError(
      'event/invalid-type',
      `The type "${RESERVED_TYPE}" is reserved for updates of the hub itself.`,
    );
  if (retry !== undefined && !/^[0-9]+$/.test(retry))
    throw createError('event/invalid-option', 'Expected `retry` to be digits.', {
      details: { option: 'retry' },
    });
  return {
    topics,
    data: first(form, 'data') ?? '',
    raw: true,
    // Its name alone makes the update private, not its value.
    private: form.some(([name]) => name === 'private'),
    ...(type !== undefined && { type }),
    ...((id !== undefined || retry !== undefined) && {
      tags: { ...(id !== undefined && { [ID_TAG]: id }), ...(retry !== undefined && { [RETRY_TAG]: retry }) },
    }),
  };
}

function assertTopics(
  topics: readonly string[],
  hub: Hub,
  { topicsPerEvent, topicLength }: PublishLimits,
): void {
  if (topics.length === 0) throw createError('topic/missing', 'An update needs at least one `topic`.');
  if (topics.length > topicsPerEvent) throw tooLarge(`An update may have ${topicsPerEvent} topics.`);
  for (const topic of topics) {
    if (topic.length > topicLength) throw tooLarge(`A topic may have ${topicLength} characters.`);
    if (topic === '' || hasForbidden(topic))
      throw createError(
        'topic/invalid',
        'A topic is not empty, and has no control characters and no invisible ones.',
      );
    if (topic === WILDCARD)
      throw createError('topic/reserved', `"${WILDCARD}" stands for every topic; it can’t be one.`);
    if (isReserved(topic, hub.url))
      throw createError(
        'topic/reserved',
        `Topics under ${hub.url.path} are the hub’s own; only it publishes there.`,
      );
  }
}

/** A field that ends up in the framing of streams; an empty one counts as left out. */
function fieldOf(form: Pairs, name: string): string | undefined {
  const value = first(form, name);
  if (value === undefined || value === '') return undefined;
  if (value.length > MAX_FIELD_LENGTH) throw tooLarge(`\`${name}\` may have ${MAX_FIELD_LENGTH} characters.`);
  if (!hasForbidden(value)) return value;
  const code =
    name === 'id' ? 'event/invalid-id' : name === 'type' ? 'event/invalid-type' : 'event/invalid-option';
  throw createError(code, `\`${name}\` has control characters or invisible ones.`);
}

function tooLarge(message: string): TidingsError {
  return createError('request/body-too-large', message);
}
