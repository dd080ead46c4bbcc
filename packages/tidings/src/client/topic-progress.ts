import { type Matcher, matcherKey } from '../protocol/matcher.ts';

/**
 * What the client is for. It has one cursor, but a topic that was added lately may not be as far: the server sends
 * the values of a state before it says, in the stream, that the connection is for it. Who is cut off before that
 * word, and goes on from the cursor, would never get them.
 */
export interface Topic {
  readonly matcher: Matcher;
  /** Its events begin after this cursor, as the server said; empty if it didn't say, undefined before it was asked. */
  readonly since: string | undefined;
  /** All of it up to the client's cursor was received, so that a connection can go on from there. */
  readonly settled: boolean;
}

/** By the keys of their matchers. Immutable. */
export type Topics = ReadonlyMap<string, Topic>;

export interface Wish {
  readonly add: readonly Matcher[];
  readonly drop: readonly Matcher[];
}

/** What to ask of a new connection: see `Request`. */
export interface Plan {
  readonly matchers: readonly Matcher[];
  readonly asNew: boolean;
}

export const NO_TOPICS: Topics = new Map();

/** Of topics that are there already, nothing changes. */
export function applyWish(topics: Topics, { add, drop }: Wish, since: string | undefined): Topics {
  const result = new Map(topics);
  for (const matcher of drop) result.delete(matcherKey(matcher));
  for (const matcher of add) {
    const key = matcherKey(matcher);
    result.set(key, topics.get(key) ?? { matcher, since, settled: false });
  }
  return result;
}

/** The server says that the events of these, as far as they aren't settled, begin here. */
export function placeTopics(topics: Topics, matchers: readonly Matcher[], since: string): Topics {
  return replace(topics, matchers, (topic) => (topic.settled ? topic : { ...topic, since }));
}

export function settleTopics(
  topics: Topics,
  matchers: readonly Matcher[],
  since: string | undefined,
): Topics {
  return replace(topics, matchers, (topic) =>
    topic.settled || topic.since !== since ? topic : { ...topic, settled: true },
  );
}

/** What could not be asked for goes on from `since` all the same, or nobody knows whether it does. */
export function unsettleOthers(topics: Topics, asked: readonly Matcher[], since: string | undefined): Topics {
  const keys = new Set(asked.map(matcherKey));
  const others = [...topics].filter(([key, { settled }]) => settled && !keys.has(key));
  return replace(
    topics,
    others.map(([, { matcher }]) => matcher),
    (topic) => ({ ...topic, settled: false, since }),
  );
}

/** The app knows the values of states from elsewhere, as they were at the cursor. */
export function unsettleAll(topics: Topics): Topics {
  return new Map(
    [...topics].map(([key, { matcher }]) => [key, { matcher, since: undefined, settled: false }]),
  );
}

export function unsettled(topics: Topics): readonly Topic[] {
  return [...topics.values()].filter(({ settled }) => !settled);
}

/** With `whole`, everything is asked for in one request; otherwise the rest has to be added to the connection. */
export function planConnection(topics: Topics, whole: boolean): Plan {
  const all = [...topics.values()];
  const settled = all.filter((topic) => topic.settled);
  const asNew = all.length > settled.length && (whole || settled.length === 0);
  return { matchers: (asNew ? all : settled).map(({ matcher }) => matcher), asNew };
}

function replace(topics: Topics, matchers: readonly Matcher[], change: (topic: Topic) => Topic): Topics {
  const result = new Map(topics);
  for (const matcher of matchers) {
    const key = matcherKey(matcher);
    const topic = topics.get(key);
    if (topic !== undefined) result.set(key, change(topic));
  }
  return result;
}
