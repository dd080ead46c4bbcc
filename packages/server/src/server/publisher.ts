import { type EventInput, type Hub, type Matcher, type Published, forbidden, unauthorized } from 'tidings';
import { type MatcherSet, createMatcherSet } from 'tidings/log';
import { createError } from 'tidings/transport';
import type { Grant } from '../auth/authenticator.ts';
import type { Observers, Publication } from './part.ts';
import type { RateLimit } from './rate.ts';
import { SERVER_PREFIX } from './reserved-topics.ts';

/** Checks the right to publish, and publishes: the one way from every door to the hub. */
export interface Publisher {
  /**
   * Whether the grant may publish anything now. Ask before you read a body.
   *
   * @throws {TidingsError} `auth/unauthorized` without a credential, `auth/forbidden`, `limit/rate`.
   */
  assertRoom(publication: Publication): void;
  /**
   * Publishes all of the events or none.
   *
   * @throws {TidingsError} what `assertRoom` throws, `auth/forbidden` for topics that the grant doesn't cover, and what
   * `hub.publishAll` throws.
   */
  publish(events: readonly EventInput[], publication: Publication): Promise<readonly Published[]>;
  /** Keeps events for the server itself: publishing what `isReserved` picks fails with `topic/reserved` (400). */
  reserve(isReserved: (event: EventInput) => boolean): void;
}

export function createPublisher(hub: Hub, observers: Observers, limit: RateLimit): Publisher {
  const reserved: ((event: EventInput) => boolean)[] = [isServers];

  function assertNotKept(events: readonly EventInput[]): void {
    if (!events.some((event) => reserved.some((isReserved) => isReserved(event)))) return;
    const message = 'These topics, or this type, are the server’s own; only it publishes there.';
    throw createError('topic/reserved', message);
  }

  return {
    reserve: (isReserved) => void reserved.push(isReserved),
    assertRoom(publication) {
      assertMayPublish([], publication.grant);
      limit.assertRoom(keyOf(publication));
    },
    async publish(events, publication) {
      assertMayPublish([], publication.grant);
      // No credential permits these: a grant of `*` has none of these topics.
      assertNotKept(events);
      assertMayPublish(events, publication.grant);
      if (publication.hasTagged !== true) assertUntagged(events);
      limit.charge(keyOf(publication), events.length);
      const published = await hub.publishAll(events);
      observers.published(events, published, publication);
      return published;
    },
  };
}

/** @throws {TidingsError} `event/invalid-option`. */
function assertUntagged(events: readonly EventInput[]): void {
  if (events.every(({ tags }) => tags === undefined)) return;
  throw createError('event/invalid-option', 'Events have no field `tags` here: tags are the server’s own.', {
    details: { option: 'tags' },
  });
}

/** A publisher can't forge the records that webhooks get about connections. */
function isServers({ topics }: EventInput): boolean {
  return [topics].flat().some((topic) => typeof topic === 'string' && topic.startsWith(SERVER_PREFIX));
}

/** A credential has one limit, wherever it is used. */
function keyOf({ grant, request }: Publication): string {
  return grant.credential === undefined ? `address ${request.ip}` : `credential ${grant.credential}`;
}

/** Grants are shared by the requests of a credential. */
const compiled = new WeakMap<readonly Matcher[], MatcherSet>();

function setOf(matchers: readonly Matcher[]): MatcherSet {
  const known = compiled.get(matchers);
  if (known !== undefined) return known;
  const set = createMatcherSet(matchers);
  compiled.set(matchers, set);
  return set;
}

/** An event on several topics needs all of them: each gives it to others. @throws {TidingsError} `auth/*`. */
export function assertMayPublish(events: readonly EventInput[], { credential, publish }: Grant): void {
  if (publish.length === 0) {
    if (credential !== undefined) throw forbidden('These credentials may not publish.');
    throw unauthorized('Publishing needs a token or an API key: send it as `Authorization: Bearer …`.');
  }
  const granted = setOf(publish);
  const refused = new Set<string>();
  for (const { topics } of events) {
    for (const topic of Array.isArray(topics) ? (topics as readonly unknown[]) : [topics]) {
      // Text that is no topic gets the error for that.
      if (typeof topic === 'string' && topic !== '' && !granted.matchesTopic(topic)) refused.add(topic);
    }
  }
  if (refused.size === 0) return;
  const message = 'These credentials may not publish on all of these topics.';
  throw createError('auth/forbidden', message, { details: { topics: [...refused].slice(0, 10) } });
}
