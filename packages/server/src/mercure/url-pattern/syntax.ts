import { type PatternSyntax, createError, createPatternSyntax } from 'tidings/transport';
import type { TopicNames } from '../topic-names.ts';
import { BoundedUrlPattern, InvalidUrlPattern, type UrlParts, toUrlParts } from './url-pattern.ts';

/** The cost of a comparison, in comparisons of the hub's own patterns. */
const LOOKS = 4;
const COSTLY_LOOKS = 100;

/** URL Patterns as the matchers of a hub. `base`: the hub's URL, to which topics and patterns may be relative. */
export function createUrlPatterns(base: string, names: Pick<TopicNames, 'inProtocol'>): PatternSyntax {
  return createPatternSyntax<UrlParts>({
    name: 'urlpattern',
    subjectOf(topic) {
      const name = names.inProtocol(topic);
      return name === undefined ? undefined : toUrlParts(name, base);
    },
    compile(text) {
      const pattern = compile(text, base);
      return {
        beginning: pattern.beginning,
        matches: (parts) => pattern.matches(parts),
        looks: pattern.isCostly ? COSTLY_LOOKS : LOOKS,
      };
    },
  });
}

/** Whether many different ones of this pattern's kind would hold up an event. */
export function isCostly({ looks }: { readonly looks: number }): boolean {
  return looks > LOOKS;
}

/** @throws {TidingsError} `topic/invalid-pattern` (400). */
function compile(text: string, base: string): BoundedUrlPattern {
  try {
    return new BoundedUrlPattern(text, base);
  } catch (cause) {
    if (!(cause instanceof InvalidUrlPattern)) throw cause;
    throw createError('topic/invalid-pattern', `The URL Pattern is invalid: ${cause.message}.`, {
      details: { pattern: text },
      cause,
    });
  }
}
