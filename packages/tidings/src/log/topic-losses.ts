/** Losses that an engine keeps by topic: what retention took last from each, as far back as the engine remembers names. */
import { type CompiledPattern, type MatcherSet, matcherOf } from '../protocol/matcher-set.ts';
import type { Loss } from './event-log.ts';

/** Its numbers are those of `Loss`. */
export interface LossPlace {
  readonly seq: number;
  readonly count: number;
}

export interface TopicLoss extends LossPlace {
  readonly topic: string;
}

/** What the log knows of its losses without looking at topics. */
export interface LossTotals {
  readonly newestLoss: number;
  readonly lossCount: number;
  /** The combined loss of topics that are no longer known by name. */
  readonly forgotten: LossPlace;
}

export interface KnownLosses {
  /** Of an exact topic; undefined if it has lost nothing that is known by name. */
  readonly ofTopic: (topic: string) => LossPlace | undefined;
  /** All topics that lost something, the last first; undefined if there are too many to look at. */
  readonly newest: readonly TopicLoss[] | undefined;
  readonly matches: (compiled: CompiledPattern, topic: string) => boolean;
}

/** The losses after a cursor of what a subscriber asks for. */
export function lossesAfter(
  after: number,
  totals: LossTotals,
  matchers: MatcherSet,
  { ofTopic, newest, matches }: KnownLosses,
): readonly Loss[] {
  const ofTopics = [...matchers.topics].map((topic) => ({
    matcher: topic,
    ...(ofTopic(topic) ?? totals.forgotten),
  }));
  const ofPatterns = matchers.patterns.map((compiled) => ({
    matcher: matcherOf(compiled),
    ...newestMatching(after, totals, newest, (topic) => matches(compiled, topic)),
  }));
  return [...ofTopics, ...ofPatterns].filter(({ seq }) => seq > after);
}

/** From the last loss backwards. With very many topics to look at, one is taken to match. */
function newestMatching(
  after: number,
  { newestLoss, lossCount, forgotten }: LossTotals,
  newest: readonly TopicLoss[] | undefined,
  matches: (topic: string) => boolean,
): LossPlace {
  if (newest === undefined) return { seq: newestLoss, count: lossCount };
  const matching = newest.filter(({ topic }) => matches(topic));
  const found = matching.find(({ seq }) => seq > after);
  if (found === undefined) return forgotten;
  return { seq: found.seq, count: matching[0]?.count ?? found.count };
}

/**
 * The topics that lost events after a seq, for `SourcePage.lost`.
 *
 * @param topicsLost those that lost something lately; undefined if there are too many.
 * @returns undefined if it can't be told by name.
 */
export async function topicsLostAfter(
  after: number,
  { forgotten }: LossTotals,
  topicsLost: () => Promise<readonly TopicLoss[] | undefined>,
): Promise<readonly string[] | undefined> {
  if (forgotten.seq > after) return undefined;
  const lost = await topicsLost();
  return lost?.filter(({ seq }) => seq > after).map(({ topic }) => topic);
}
