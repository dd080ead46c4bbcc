import { type Matcher, matcherKey } from '../protocol/matcher.ts';

/**
 * One of the client's topics. The client has a single cursor, but a topic added lately may not have come as far: the
 * server sends a state's values before it announces, in the stream, that the connection has the topic. A client that is
 * cut off before the announcement and went on from its cursor would never get them.
 */
export interface Topic {
  readonly matcher: Matcher;
  /** Its events begin after this cursor, as the server said; empty if it didn't say, undefined before it was asked. */
  readonly since: string | undefined;
  /** Whether everything up to the client's cursor was received: a connection can go on from there. */
  readonly settled: boolean;
}

/** By the keys of their matchers. Immutable. */
export type Topics = ReadonlyMap<string, Topic>;

export interface Wish {
  readonly add: readonly Matcher[];
  readonly drop: readonly Matcher[];
}

/** The next connection's request: see `Request`. */
export interface Plan {
  readonly matchers: readonly Matcher[];
  readonly asNew: boolean;
}

export const NO_TOPICS: Topics = new Map();

/** Topics that are there already stay as they are. */
export function applyWish(topics: Topics, { add, drop }: Wish, since: string | undefined): Topics {
  const result = new Map(topics);
  for (const matcher of drop) result.delete(matcherKey(matcher));
  for (const matcher of add) {
    const key = matcherKey(matcher);
    result.set(key, topics.get(key) ?? { matcher, since, settled: false });
  }
  return result;
}

/** According to the server, the events of these topics begin here, unless they are settled. */
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

/** Topics that the request had no room for go on from `since` too; if that is undefined, from an unknown place. */
export function unsettleOthers(topics: Topics, asked: readonly Matcher[], since: string | undefined): Topics {
  const keys = new Set(asked.map(matcherKey));
  const others = [...topics].filter(([key, { settled }]) => settled && !keys.has(key));
  return replace(
    topics,
    others.map(([, { matcher }]) => matcher),
    (topic) => ({ ...topic, settled: false, since }),
  );
}

/** The app knows the values of states from elsewhere, as of the cursor. */
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
