import type { EventInput, Hub, Matcher, Published } from 'tidings';
import { forbidden, unauthorized } from 'tidings';
import { type MatcherSet, createMatcherSet } from 'tidings/log';
import { createError } from 'tidings/transport';
import type { Grant } from '../auth/authenticator.ts';
import type { Observers, Publication } from './part.ts';

/** Publishes for whoever is allowed to: the one way from every door to the hub. */
export interface Publisher {
  /**
   * Publishes all of the events or none.
   *
   * @throws {TidingsError} `auth/unauthorized` without a credential, `auth/forbidden` for topics that it doesn't cover,
   * and what `hub.publishAll` throws.
   */
  publish(events: readonly EventInput[], publication: Publication): Promise<readonly Published[]>;
  /** Keeps events for the server itself: publishing what `isReserved` picks fails with `topic/reserved` (400). */
  reserve(isReserved: (event: EventInput) => boolean): void;
}

export function createPublisher(hub: Hub, observers: Observers): Publisher {
  const reserved: ((event: EventInput) => boolean)[] = [];
  return {
    reserve: (isReserved) => void reserved.push(isReserved),
    async publish(events, publication) {
      assertMayPublish(events, publication.grant);
      if (events.some((event) => reserved.some((isReserved) => isReserved(event))))
        throw createError(
          'topic/reserved',
          'These topics, or this type, are the server’s own; only it publishes there.',
        );
      const published = await hub.publishAll(events);
      observers.published(events, published, publication);
      return published;
    },
  };
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
  if (publish.length === 0 && credential === undefined)
    throw unauthorized('Publishing needs a token or an API key: send it as `Authorization: Bearer …`.');
  const granted = setOf(publish);
  const refused = new Set(
    events
      .flatMap(({ topics }) => topics)
      // What is no topic gets the error for that.
      .filter((topic) => typeof topic === 'string' && topic !== '' && !granted.matchesTopic(topic)),
  );
  if (refused.size === 0) return;
  const { code } = forbidden();
  const message = 'These credentials may not publish on all of these topics.';
  throw createError(code, message, { details: { topics: [...refused].slice(0, 10) } });
}
