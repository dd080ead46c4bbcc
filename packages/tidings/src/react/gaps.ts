import type { Gap } from '../protocol/control.ts';
import { type Matcher, matcherKey } from '../protocol/matcher.ts';

/** Whether a gap is about one of these topics. Without topics, every gap is. */
export function concerns(gaps: readonly Gap[], topics: readonly Matcher[]): boolean {
  if (topics.length === 0) return true;
  const keys = new Set(topics.map(matcherKey));
  return gaps.some(
    (gap) => gap.topics.length === 0 || gap.topics.some((topic) => keys.has(matcherKey(topic))),
  );
}
