import type { CompiledPattern } from './matcher-set.ts';
import { Pattern, assertPatternLength } from './pattern.ts';

/** A pattern that counts the sets of matchers that share it. */
export interface SharedPattern extends CompiledPattern {
  owners: number;
}

/** Equal patterns are one object, as long as something refers to it. */
const shared = new Map<string, SharedPattern>();

/** A connection, a grant or a rule doesn't say when it no longer needs its patterns, so the garbage collector does. */
const released = new FinalizationRegistry<readonly SharedPattern[]>((patterns) => {
  for (const pattern of patterns) {
    pattern.owners -= 1;
    if (pattern.owners === 0) shared.delete(pattern.pattern);
  }
});

/** The pattern that others have already, or a new one. `maxLength` counts UTF-16 units. Throws like `Pattern`. */
export function sharePattern(text: string, maxLength?: number): Pattern {
  assertPatternLength(text, maxLength);
  return shareCompiled(text, () => new Pattern(text));
}

/** The pattern of this text that others have already, or a new one. Equal texts are always of the same kind. */
export function shareCompiled<P extends SharedPattern>(text: string, compile: () => P): P {
  return (shared.get(text) as P | undefined) ?? compile();
}

/** Keeps the patterns for others to share, until `owner` is garbage. `patterns` must not lead to it. */
export function ownPatterns(owner: object, patterns: readonly SharedPattern[]): void {
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
