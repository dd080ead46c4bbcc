import { createError } from '../protocol/errors.ts';
import { type EventLimits, DEFAULT_EVENT_LIMITS } from '../protocol/event.ts';
import type { Matcher } from '../protocol/matcher.ts';
import { type Checks, aNumber } from '../protocol/options.ts';
import type { TidingsError } from '../protocol/tidings-error.ts';

export interface ConnectionLimits {
  /** In all; more get a 503. */
  readonly connections: number;
  /** For one `subject`; more get a 429. */
  readonly connectionsPerSubject: number;
  /** For one remote address, or one /64 of IPv6; more get a 429. */
  readonly connectionsPerAddress: number;
}

export interface HubLimits extends ConnectionLimits, EventLimits {
  /** The most topics and patterns that one connection may ask for; more get a 400. */
  readonly topicsPerConnection: number;
  /** How many of them may be patterns, each of which may be compared with every topic. */
  readonly patternsPerConnection: number;
  /** Their total length in UTF-16 units; the hub keeps them as long as the connection lasts. */
  readonly matcherLengthPerConnection: number;
  /** Connections in one session of HTTP/2; more get a 429. */
  readonly connectionsPerSession: number;
  /** Topics on which presence is counted at a time; others are not counted, and `onError` learns of it once. */
  readonly presenceTopics: number;
  /** Topics with presence that one connection may ask for; more get a 400. */
  readonly presenceTopicsPerConnection: number;
}

const limit = aNumber({ min: 1 });

export const LIMITS: Checks<HubLimits> = {
  topicLength: limit,
  topicsPerEvent: limit,
  eventLength: limit,
  connections: limit,
  connectionsPerSubject: limit,
  connectionsPerAddress: limit,
  topicsPerConnection: limit,
  patternsPerConnection: limit,
  matcherLengthPerConnection: limit,
  connectionsPerSession: limit,
  presenceTopics: limit,
  presenceTopicsPerConnection: limit,
};

const DEFAULT_LIMITS: HubLimits = {
  ...DEFAULT_EVENT_LIMITS,
  connections: 10_000,
  connectionsPerSubject: Infinity,
  connectionsPerAddress: 200,
  topicsPerConnection: 100,
  patternsPerConnection: 10,
  matcherLengthPerConnection: 16_384,
  connectionsPerSession: 1000,
  presenceTopics: 10_000,
  presenceTopicsPerConnection: 20,
};

/** A limit that is undefined counts as left out: compared with it, nothing would be too much. */
export function resolveLimits(given: Partial<HubLimits> = {}): HubLimits {
  const set = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...DEFAULT_LIMITS, ...Object.fromEntries(set) };
}

/** @throws {TidingsError} `topic/missing`, `limit/topics`. */
export function assertMatchers(matchers: readonly Matcher[], limits: HubLimits): void {
  const { topicsPerConnection, patternsPerConnection, matcherLengthPerConnection } = limits;
  if (matchers.length === 0) {
    throw createError('topic/missing', 'Say what to subscribe to: ?topic=… or ?pattern=….');
  }
  if (matchers.length > topicsPerConnection) {
    throw createError('limit/topics', `A connection may ask for ${topicsPerConnection} topics.`, {
      details: { topics: matchers.length, maxTopics: topicsPerConnection },
    });
  }
  let patterns = 0;
  let length = 0;
  for (const matcher of matchers) {
    const isPattern = typeof matcher === 'object' && matcher !== null;
    if (isPattern) patterns += 1;
    // Values that aren't strings are refused when the set is made.
    length += (isPattern ? matcher.pattern : matcher)?.length ?? 0;
  }
  if (patterns > patternsPerConnection) {
    throw createError('limit/topics', `A connection may ask for ${patternsPerConnection} patterns.`, {
      details: { patterns, maxPatterns: patternsPerConnection },
    });
  }
  if (length > matcherLengthPerConnection) {
    const message = `The topics and patterns of a connection may have ${matcherLengthPerConnection} characters together.`;
    throw createError('limit/topics', message, {
      details: { length, maxLength: matcherLengthPerConnection },
    });
  }
}

/** The warning that one address, which may be a proxy, has more connections than the limit. */
export function proxySuspected(address: string, { connectionsPerAddress }: HubLimits): TidingsError {
  const message =
    `More than ${connectionsPerAddress} connections come from ${address}, which looks like a proxy of yours. They are let ` +
    'in, but nobody is limited by address. Say whose address counts: in Express `app.set("trust proxy", 1)`, elsewhere ' +
    'the option `address` of `sse`. Or set `limits.connectionsPerAddress` yourself.';
  return createError('limit/connections', message, { details: { address, limit: connectionsPerAddress } });
}
