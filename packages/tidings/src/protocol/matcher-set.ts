import { type Matcher, OWN_PREFIX, assertTopic, matcherKey } from './matcher.ts';
import { Pattern, literalPrefix } from './pattern.ts';
import { type ForeignPattern, type PatternIndex, isForeign } from './pattern-syntax.ts';
import { type SharedPattern, ownPatterns, sharePattern } from './shared-patterns.ts';
import { SortedPatterns } from './sorted-patterns.ts';

/** `matches` is a method: call it on the pattern. Detached, it has lost its `this`. */
export interface CompiledPattern {
  readonly pattern: string;
  matches(topic: string): boolean;
  /** How topics that it matches are indexed; undefined if by their own text. */
  readonly index?: PatternIndex;
  /** The beginning of the indexed text of every topic that it matches. Default: the literal one of `pattern`. */
  readonly beginning?: string;
  /** The cost of a comparison, in those of the hub's own patterns. Default 1. */
  readonly looks?: number;
}

/** The matcher that a pattern was compiled from. */
export function matcherOf(compiled: CompiledPattern): Matcher {
  return isForeign(compiled) ? compiled : { pattern: compiled.pattern };
}

/** The literal beginning of every topic that it matches. */
export function beginningOf({ index, pattern }: CompiledPattern): string {
  return index === undefined ? literalPrefix(pattern) : '';
}

/** Whether the set matches everything that `matcher` could match. */
export function includes(set: MatcherSet, matcher: Matcher): boolean {
  if (typeof matcher === 'string' || !literalPrefix(matcher.pattern).startsWith(OWN_PREFIX))
    return set.covers(matcher);
  return set.patterns.some(({ pattern }) => pattern === matcher.pattern);
}

/** Several matchers as one question. Immutable, so connections that ask for the same can share it. */
export interface MatcherSet {
  /** Topics, then patterns; made anew at each call. */
  readonly matchers: readonly Matcher[];
  readonly topics: ReadonlySet<string>;
  readonly patterns: readonly CompiledPattern[];
  /** Equal for sets of equal matchers, in any order; made anew at each call. */
  readonly key: string;
  /** Asks all patterns at once: a walk through many topics needs one pass instead of one per pattern. */
  matchesTopic(topic: string): boolean;
  /** Whether one of an event's topics is matched. */
  matches(topics: readonly string[]): boolean;
  /**
   * Whether somebody who may ask for the set may ask for `matcher`, too: it could match nothing else. Only the same pattern,
   * or `*`, covers a pattern. `*` also covers patterns for Tidings' own topics, though it doesn't match those: see `includes`.
   */
  covers(matcher: Matcher): boolean;
}

type SharedForeign = ForeignPattern & SharedPattern;

/** From here on a search among sorted patterns is faster than asking one after another. */
const MANY = 8;
const NONE: ReadonlySet<string> = new Set();

/** @throws {TidingsError} `topic/*` with status 400. */
export function createMatcherSet(wanted: readonly Matcher[], maxTopicLength?: number): MatcherSet {
  const topics = new Set<string>();
  const patterns = new Map<string, Pattern | SharedForeign>();
  for (const matcher of wanted) {
    // In this order, an undefined from a missing query parameter gets the error for an invalid topic.
    if (typeof matcher === 'object' && matcher !== null) {
      const known = patterns.get(matcher.pattern);
      const pattern = known ?? (isForeign(matcher) ? (matcher as SharedForeign) : undefined);
      patterns.set(matcher.pattern, pattern ?? sharePattern(matcher.pattern, maxTopicLength));
    } else {
      assertTopic(matcher, maxTopicLength);
      topics.add(matcher);
    }
  }
  const compiled = [...patterns.values()];
  const set = new Matchers(topics.size === 0 ? NONE : topics, compiled);
  ownPatterns(set, compiled);
  return set;
}

/** Stores nothing that it can derive on demand: there is one of these for each set that connections ask for. */
class Matchers implements MatcherSet {
  readonly topics: ReadonlySet<string>;
  readonly patterns: readonly (Pattern | SharedForeign)[];
  #sorted: SortedPatterns | undefined;

  constructor(topics: ReadonlySet<string>, patterns: readonly (Pattern | SharedForeign)[]) {
    this.topics = topics;
    this.patterns = patterns;
  }

  get matchers(): readonly Matcher[] {
    return [...this.topics, ...this.patterns.map(matcherOf)];
  }

  get key(): string {
    return this.matchers.map(matcherKey).sort().join('\n');
  }

  matchesTopic(topic: string): boolean {
    if (this.topics.has(topic)) return true;
    const { patterns } = this;
    if (patterns.length > MANY) return this.#matchesMany(topic);
    for (const pattern of patterns) if (pattern.matches(topic)) return true;
    return false;
  }

  #matchesMany(topic: string): boolean {
    const isOwn = (pattern: Pattern | SharedForeign): pattern is Pattern => pattern instanceof Pattern;
    this.#sorted ??= new SortedPatterns(this.patterns.filter(isOwn));
    if (this.#sorted.matches(topic)) return true;
    for (const pattern of this.patterns) if (!isOwn(pattern) && pattern.matches(topic)) return true;
    return false;
  }

  matches(topics: readonly string[]): boolean {
    for (const topic of topics) if (this.matchesTopic(topic)) return true;
    return false;
  }

  covers(matcher: Matcher): boolean {
    if (typeof matcher === 'string') return this.matchesTopic(matcher);
    return this.patterns.some(({ pattern }) => pattern === matcher.pattern || pattern === '*');
  }
}
