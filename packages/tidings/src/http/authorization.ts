import { type MatcherSet, createMatcherSet } from '../protocol/matcher-set.ts';
import { invalidOption } from '../protocol/options.ts';
import { createError, forbidden } from '../protocol/errors.ts';
import type { Matcher } from '../protocol/matcher.ts';
import type { Authorization, HandlerOptions } from './handler-options.ts';

/** What the app said, checked. */
export interface Checked extends Pick<Authorization, 'subject' | 'member' | 'expiresAt'> {
  readonly granted: MatcherSet;
}

/** Asks the app. @throws {TidingsError} `auth/forbidden` for what isn't covered; what `authorize` throws. */
export async function authorize<Req>(
  options: HandlerOptions<Req>,
  wanted: MatcherSet,
  req: Req,
): Promise<Checked> {
  const { topics, ...authorization } =
    options.authorize === undefined ? {} : await ask(options.authorize, wanted, req);
  const granted = compileGrant(topics ?? []);
  if (topics !== undefined) assertCovered(wanted, granted);
  return { ...authorization, granted };
}

/** A `return` that was forgotten must not let everybody in. */
async function ask<Req>(
  authorizeRequest: NonNullable<HandlerOptions<Req>['authorize']>,
  wanted: MatcherSet,
  req: Req,
): Promise<Authorization> {
  const answer: unknown = await authorizeRequest(req, wanted.matchers);
  if (typeof answer !== 'object' || answer === null) {
    throw invalidOption(
      'authorize',
      '`authorize` returns an object, or throws `unauthorized()` or `forbidden()`.',
    );
  }
  const { topics, expiresAt } = answer as Authorization;
  if ('topics' in answer && !Array.isArray(topics)) {
    throw invalidOption(
      'topics',
      '`topics` of what `authorize` returns is a list; leave it out to grant all but private events.',
    );
  }
  if (expiresAt !== undefined && !(typeof expiresAt === 'number' && expiresAt >= 0)) {
    throw invalidOption('expiresAt', '`expiresAt` is a time in milliseconds since 1970.');
  }
  return answer;
}

/** What the app grants is the app's to get right: no 400 for the client. */
function compileGrant(topics: readonly Matcher[]): MatcherSet {
  try {
    return createMatcherSet(topics);
  } catch (cause) {
    throw createError('hub/invalid-option', 'What `authorize` returned as `topics` is invalid.', {
      details: { option: 'topics' },
      cause,
    });
  }
}

function assertCovered(wanted: MatcherSet, granted: MatcherSet): void {
  const refused = wanted.matchers.filter((matcher) => !granted.covers(matcher));
  if (refused.length === 0) return;
  const { code, message } = forbidden();
  throw createError(code, message, { details: { topics: refused } });
}
