import type { Gap } from '../../protocol/control.ts';
import { type Matcher, matcherKey } from '../../protocol/matcher.ts';
import type { EventLog, Loss } from '../../log/event-log.ts';
import { type MatcherSet, createMatcherSet, includes } from '../../protocol/matcher-set.ts';

/** The matchers of which events are missing: lost to retention, or left out because `replay` bounds what a connection gets. */
export function lostOrSkipped(
  losses: readonly Loss[],
  skipped: readonly Matcher[],
  { matchers }: MatcherSet,
): readonly Matcher[] {
  const keys = new Set([...losses.map(({ matcher }) => matcher), ...skipped].map(matcherKey));
  return keys.size === 0 ? [] : matchers.filter((matcher) => keys.has(matcherKey(matcher)));
}

export function trimmedGaps(topics: readonly Matcher[]): readonly Gap[] {
  return topics.length === 0 ? [] : [{ topics, reason: 'trimmed' }];
}

/** On a state topic, the snapshot makes up for missing events. */
export function needsSnapshot(topics: readonly Matcher[], log: EventLog): boolean {
  return topics.length > 0 && log.rules.canBeState(createMatcherSet(topics));
}

/**
 * The losses after a cursor that a subscriber may learn of. Where it wants a topic that it may not read private events on,
 * those count only if it has lost something by its grants: an event may have been on both topics.
 */
export async function lossesFor(
  log: EventLog,
  after: number,
  { wanted, granted }: { readonly wanted: MatcherSet; readonly granted: MatcherSet },
): Promise<readonly Loss[]> {
  if (wanted.matchers.every((matcher) => includes(granted, matcher))) return log.losses(after, wanted);
  const mayReadAny = granted.topics.size > 0 || granted.patterns.length > 0;
  const hasLostAny = mayReadAny && (await log.losses(after, granted)).length > 0;
  return log.losses(after, wanted, !hasLostAny);
}

/** The losses that a reader does not know yet. Remembers them in `told`, by their number. */
export function newLosses(losses: readonly Loss[], told: Map<string, number>): readonly Loss[] {
  const news = losses.filter(({ matcher, count }) => count > (told.get(matcherKey(matcher)) ?? 0));
  for (const { matcher, count } of news) told.set(matcherKey(matcher), count);
  return news;
}
