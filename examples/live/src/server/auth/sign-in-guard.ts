import { HttpProblem } from '../http/problem.ts';
import type { Clock } from '../lib/clock.ts';
import { createShortMemory } from '../lib/short-memory.ts';
import { nameKey } from './users.ts';

/**
 * Limits guesses at one account's password, from however many addresses they come.
 *
 * A count per account alone would let anybody lock its owner out, by failing on purpose. So a browser that has signed
 * in to the account before counts for itself, and never pays for strangers' attempts
 * (https://owasp.org/www-community/Slow_Down_Online_Guessing_Attacks_with_Device_Cookies).
 */
export interface SignInGuard {
  /**
   * Runs `check`, which rejects with `session/wrong-credentials` for a failed attempt. An attempt counts as failed
   * until it turns out otherwise: many sent at once are no way around the limit.
   *
   * @param browser the known browser it comes from
   * @throws HttpProblem 429 `limit/exceeded`, even for unknown names, to not reveal who exists
   */
  watch<T>(name: string, browser: string | undefined, check: () => Promise<T>): Promise<T>;
}

export interface SignInGuardOptions {
  readonly clock: Pick<Clock, 'now'>;
  /** Failed attempts within {@link WINDOW}: for all strangers to an account together, and for each known browser. */
  readonly failures: number;
}

const WINDOW = 15 * 60_000;
/**
 * Accounts and browsers that are counted at a time. Each attempt takes a fifth of a second of hashing, two at a time:
 * within a window there can't be as many, so a flood of names makes the guard forget none.
 */
const MAX_COUNTED = 20_000;

export function createSignInGuard({ clock, failures }: SignInGuardOptions): SignInGuard {
  const counts = createShortMemory<{ failed: number; readonly since: number }>({
    clock,
    keep: WINDOW,
    max: MAX_COUNTED,
  });

  function countOf(key: string): { failed: number; readonly since: number } {
    const known = counts.get(key);
    if (known !== undefined) return known;
    const fresh = { failed: 0, since: clock.now() };
    counts.set(key, fresh);
    return fresh;
  }

  return {
    async watch(name, browser, check) {
      const own = browser === undefined ? undefined : countOf(`browser ${browser}`);
      // A known browser that failed too often is treated as a stranger: its cookie may have been stolen.
      const count = own !== undefined && own.failed < failures ? own : countOf(`account ${nameKey(name)}`);
      if (count.failed >= failures) throw tooMany(count.since + WINDOW - clock.now());
      count.failed += 1;
      try {
        const result = await check();
        count.failed -= 1;
        return result;
      } catch (error) {
        // An overloaded server has judged no password.
        if (!isWrong(error)) count.failed -= 1;
        throw error;
      }
    },
  };
}

function isWrong(error: unknown): boolean {
  return error instanceof HttpProblem && error.code === 'session/wrong-credentials';
}

function tooMany(wait: number): HttpProblem {
  const detail =
    'Too many failed attempts to sign in with this name. Try again later, or in a browser that has signed in before.';
  return new HttpProblem(429, 'limit/exceeded', detail, {
    headers: { 'Retry-After': String(Math.max(1, Math.ceil(wait / 1000))) },
  });
}
