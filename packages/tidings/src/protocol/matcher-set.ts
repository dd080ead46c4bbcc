import { type Matcher, assertTopic, matcherKey } from './matcher.ts';
import { compilePattern } from './pattern.ts';

export interface CompiledPattern {
  readonly pattern: string;
  readonly matches: (topic: string) => boolean;
}

/** Several matchers as one question. Immutable, so connections that ask for the same can share it. */
export interface MatcherSet {
  readonly matchers: readonly Matcher[];
  readonly topics: ReadonlySet<string>;
  readonly patterns: readonly CompiledPattern[];
  /** Equal for sets of equal matchers, in whatever order they were given. */
  readonly key: string;
  matchesTopic(topic: string): boolean;
  /** Whether one of an event's topics is matched. */
  matches(topics: readonly string[]): boolean;
  /** Whether whatever `matcher` could match is matched. A pattern is covered by the same pattern, or by `*`. */
  covers(matcher: Matcher): boolean;
}

/** @throws {TidingsError} `topic/*` with status 400. */
export function createMatcherSet(wanted: readonly Matcher[], maxTopicLength?: number): MatcherSet {
  const topics = new Set<string>();
  const patterns = new Map<string, CompiledPattern>();
  for (const matcher of wanted) {
    // This way round, so that an undefined from a missing query parameter is told to be no topic.
    if (typeof matcher === 'object' && matcher !== null) {
      const { pattern } = matcher;
      patterns.set(pattern, { pattern, matches: compilePattern(pattern, maxTopicLength) });
    } else {
      assertTopic(matcher, maxTopicLength);
      topics.add(matcher);
    }
  }
  const compiled = [...patterns.values()];
  const matchers: Matcher[] = [...topics, ...compiled.map(({ pattern }) => ({ pattern }))];
  const matchesTopic = (topic: string): boolean =>
    topics.has(topic) || compiled.some((p) => p.matches(topic));
  return {
    matchers,
    topics,
    patterns: compiled,
    key: matchers.map(matcherKey).sort().join('\n'),
    matchesTopic,
    matches: (eventTopics) => eventTopics.some(matchesTopic),
    covers: (matcher) =>
      typeof matcher === 'string'
        ? matchesTopic(matcher)
        : patterns.has(matcher.pattern) || patterns.has('*'),
  };
}
