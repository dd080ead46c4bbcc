import { Pattern, assertPatternLength } from './pattern.ts';

/** Equal patterns are one object, as long as something refers to it. */
const shared = new Map<string, Pattern>();

/** A connection, a grant or a rule doesn't say when it no longer needs its patterns, so the garbage collector does. */
const released = new FinalizationRegistry<readonly Pattern[]>((patterns) => {
  for (const pattern of patterns) {
    pattern.owners -= 1;
    if (pattern.owners === 0) shared.delete(pattern.pattern);
  }
});

/** The pattern that others have already, or a new one. `maxLength` counts UTF-16 units. Throws like `Pattern`. */
export function sharePattern(text: string, maxLength?: number): Pattern {
  assertPatternLength(text, maxLength);
  return shared.get(text) ?? new Pattern(text);
}

/** Keeps the patterns for others to share, until `owner` is garbage. `patterns` must not lead to it. */
export function ownPatterns(owner: object, patterns: readonly Pattern[]): void {
  if (patterns.length === 0) return;
  for (const pattern of patterns) {
    pattern.owners += 1;
    shared.set(pattern.pattern, pattern);
  }
  released.register(owner, patterns);
}

/** How many distinct patterns there are. */
export function countSharedPatterns(): number {
  return shared.size;
}
