/** Losses that an engine keeps by topic: what retention took last from each, as far back as the engine remembers names. */
import { PRESENCE_PREFIX } from '../protocol/matcher.ts';
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

/**
 * A log's knowledge of its losses without looking at topics. A log keeps one tally of public events and one of private
 * ones, each bounded by itself: a subscriber who may read only public events must not learn from a gap that there were
 * others.
 */
export interface LossTally {
  /** Of all topics together: the newest event taken, and the count when the last one was. */
  readonly all: LossPlace;
  /** The combined loss of topics that are no longer known by name. */
  readonly forgotten: LossPlace;
}

export interface KnownLosses extends LossTally {
  /** Of an exact topic; undefined if it has lost nothing that is known by name. */
  readonly ofTopic: (topic: string) => LossPlace | undefined;
  /** Of the topics that match: exactly, if there are few enough to look at; otherwise of all. */
  readonly matching: (compiled: CompiledPattern, after: number) => LossPlace;
}

export const NO_LOSS: LossPlace = { seq: 0, count: 0 };

export function joinLosses(a: LossPlace, b: LossPlace): LossPlace {
  return { seq: Math.max(a.seq, b.seq), count: Math.max(a.count, b.count) };
}

/** The losses after a cursor of what a subscriber asks for, in the tallies of the events that it may read. */
export function lossesAfter(
  after: number,
  matchers: MatcherSet,
  tallies: readonly KnownLosses[],
): readonly Loss[] {
  const together = (of: (tally: KnownLosses) => LossPlace): LossPlace =>
    tallies.map(of).reduce(joinLosses, NO_LOSS);
  const ofTopics = [...matchers.topics].map((topic) => ({
    matcher: topic,
    ...together(({ ofTopic, forgotten }) => ofTopic(topic) ?? forgotten),
  }));
  const ofPatterns = matchers.patterns.map((compiled) => ({
    matcher: matcherOf(compiled),
    ...together(({ matching }) => matching(compiled, after)),
  }));
  return [...ofTopics, ...ofPatterns].filter(({ seq }) => seq > after);
}

/**
 * The loss of the topics that match, from the last one backwards.
 *
 * @param newest all topics that lost something, the last first; undefined if there are too many: then one is taken to match.
 */
export function newestMatching(
  after: number,
  { all, forgotten }: LossTally,
  newest: readonly TopicLoss[] | undefined,
  matches: (topic: string) => boolean,
): LossPlace {
  if (newest === undefined) return all;
  const matching = newest.filter(({ topic }) => matches(topic));
  const found = matching.find(({ seq }) => seq > after);
  if (found === undefined) return forgotten;
  return { seq: found.seq, count: matching[0]?.count ?? found.count };
}

/**
 * Whether a loss on this topic is one of a pattern's. Presence reaches a subscriber without grants only by its topic's
 * name: a pattern must not tell that somebody was there.
 */
export function isLossOf(compiled: CompiledPattern, topic: string, publicOnly: boolean): boolean {
  return !(publicOnly && topic.startsWith(PRESENCE_PREFIX)) && compiled.matches(topic);
}

/**
 * The topics that lost events after a seq, for `SourcePage.lost`.
 *
 * @param topicsLost those that lost something lately; undefined if there are too many.
 * @returns undefined if it can't be told by name.
 */
export async function topicsLostAfter(
  after: number,
  tallies: readonly LossTally[],
  topicsLost: () => Promise<readonly TopicLoss[] | undefined>,
): Promise<readonly string[] | undefined> {
  if (tallies.some(({ forgotten }) => forgotten.seq > after)) return undefined;
  const lost = await topicsLost();
  return lost?.filter(({ seq }) => seq > after).map(({ topic }) => topic);
}
