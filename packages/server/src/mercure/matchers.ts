import type { Matcher, TidingsError } from 'tidings';
import { createError } from 'tidings/transport';
import { WILDCARD, hasForbidden } from './characters.ts';
import type { Pairs } from './form.ts';
import type { Hub } from './hub.ts';

/** The types of matchers that the draft defines. */
export const MATCHER_TYPES = ['exact', 'urlpattern'] as const;
export type MatcherType = (typeof MATCHER_TYPES)[number];

/** A matcher as a client writes it. */
export interface TypedMatcher {
  readonly type: MatcherType;
  readonly text: string;
}

/** UTF-16 units of one matcher. */
export const MAX_MATCHER_LENGTH = 1024;

const PARAMETERS: Readonly<Record<string, MatcherType>> = {
  match: 'exact',
  match_exact: 'exact',
  match_urlpattern: 'urlpattern',
};

/**
 * The matchers of a subscription's parameters. All names that begin with `match` are the protocol's: a misspelt one fails
 * instead of matching nothing.
 *
 * @throws {TidingsError} `topic/*` (400).
 */
export function readMatchers(pairs: Pairs): readonly TypedMatcher[] {
  const matchers: TypedMatcher[] = [];
  for (const [name, text] of pairs) {
    const type = Object.hasOwn(PARAMETERS, name) ? PARAMETERS[name] : undefined;
    if (type !== undefined) {
      assertMatcher(text);
      matchers.push({ type, text });
    } else if (/^match/i.test(name)) {
      throw invalid(
        `There is no parameter ${JSON.stringify(name.slice(0, 64))} here. Known are ${Object.keys(PARAMETERS).join(', ')}.`,
      );
    }
  }
  return matchers;
}

/** @throws {TidingsError} `topic/invalid` (400). */
export function assertMatcher(text: string): void {
  if (text === '') throw invalid('A matcher is a text that is not empty.');
  if (text.length > MAX_MATCHER_LENGTH)
    throw invalid(`A matcher may have ${MAX_MATCHER_LENGTH} characters; this one has ${text.length}.`);
  if (hasForbidden(text)) throw invalid('A matcher has no control characters and no invisible ones.');
}

/** The same for the hub. `*` matches every topic, whatever the type. @throws {TidingsError} `topic/*` (400). */
export function toMatchers(
  { type, text }: TypedMatcher,
  { urlPatterns, names }: Pick<Hub, 'urlPatterns' | 'names'>,
): readonly Matcher[] {
  if (text === WILDCARD) return names.everything;
  return [type === 'exact' ? names.onLog(text) : urlPatterns.pattern(text, MAX_MATCHER_LENGTH)];
}

function invalid(message: string): TidingsError {
  return createError('topic/invalid', message);
}
