import type { Matcher } from 'tidings';
import { type ForeignPattern, createError } from 'tidings/transport';
import { isCostly } from './url-pattern/syntax.ts';

/** Different patterns that take long to compare, of all connections together: each is compared with every new topic. */
const MAX_COSTLY = 100;
/** Seconds after which a refused client may try again. */
const RETRY_AFTER = 5;

/** Counts the patterns that take long to compare. */
export class CostlyPatterns {
  readonly #connections = new Map<string, number>();

  /** @returns a function that gives them back; further calls do nothing. @throws {TidingsError} `limit/connections` (429). */
  take(matchers: readonly Matcher[]): () => void {
    const costly = matchers.filter(
      (matcher): matcher is ForeignPattern =>
        typeof matcher === 'object' && 'looks' in matcher && isCostly(matcher as ForeignPattern),
    );
    const names = [...new Set(costly.map(({ pattern }) => pattern))];
    const added = names.filter((name) => !this.#connections.has(name)).length;
    if (added > 0 && this.#connections.size + added > MAX_COSTLY) {
      const message = `Connections may have ${MAX_COSTLY} different URL Patterns with regular expressions, all together.`;
      throw createError('limit/connections', message, {
        details: { retryAfter: RETRY_AFTER, limit: MAX_COSTLY },
      });
    }
    for (const name of names) this.#connections.set(name, (this.#connections.get(name) ?? 0) + 1);
    let isTaken = true;
    return () => {
      if (!isTaken) return;
      isTaken = false;
      for (const name of names) {
        const left = (this.#connections.get(name) ?? 1) - 1;
        if (left === 0) this.#connections.delete(name);
        else this.#connections.set(name, left);
      }
    };
  }
}
