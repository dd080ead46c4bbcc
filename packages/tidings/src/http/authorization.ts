import { type MatcherSet, createMatcherSet } from '../protocol/matcher-set.ts';
import { createError, forbidden } from '../protocol/errors.ts';
import { looksLikePattern } from '../protocol/escape-pattern.ts';
import type { Matcher } from '../protocol/matcher.ts';
import { checkAuthorization } from './answers.ts';
import type { Authorization, HandlerOptions } from './handler-options.ts';

/** The app's answer, checked. */
export interface Checked extends Pick<
  Authorization,
  'subject' | 'member' | 'expiresAt' | 'issuedAt' | 'tokenId'
> {
  /** The topics on which private events reach it. */
  readonly granted: MatcherSet;
  /** The topics it may ask for; undefined: any. */
  readonly permitted: MatcherSet | undefined;
}

/** Asks the app. @throws {TidingsError} `auth/forbidden` for what isn't covered; what `authorize` throws. */
export async function authorize<Req>(
  options: HandlerOptions<Req>,
  wanted: MatcherSet,
  req: Req,
): Promise<Checked> {
  const {
    topics,
    private: secret,
    ...authorization
  } = options.authorize === undefined
    ? {}
    : checkAuthorization(await options.authorize(req, wanted.matchers));
  const permitted = topics === undefined ? undefined : compileGrant('topics', topics);
  if (permitted !== undefined) assertCovered(wanted, permitted);
  const granted = secret === undefined ? permitted : compileGrant('private', secret);
  return { ...authorization, granted: granted ?? compileGrant('topics', []), permitted };
}

/** An invalid grant is the app's mistake, so the client gets no 400. */
function compileGrant(option: 'topics' | 'private', topics: readonly Matcher[]): MatcherSet {
  try {
    return createMatcherSet(topics);
  } catch (cause) {
    throw createError('hub/invalid-option', `What \`authorize\` returned as \`${option}\` is invalid.`, {
      details: { option },
      cause,
    });
  }
}

function assertCovered(wanted: MatcherSet, granted: MatcherSet): void {
  const refused = wanted.matchers.filter((matcher) => !granted.covers(matcher));
  if (refused.length === 0) return;
  const { code, message } = forbidden();
  const slip = refused.find((matcher) => typeof matcher === 'string' && looksLikePattern(matcher));
  const advice =
    slip === undefined ? '' : ` ${JSON.stringify(slip)} was asked for as a topic: is it a pattern?`;
  throw createError(code, message + advice, { details: { topics: refused } });
}
