import type { ConnectionEnd } from '../hub/connection-info.ts';
import type { Member } from '../hub/presence/presence.ts';
import type { Matcher } from '../protocol/matcher.ts';
import {
  type Checks,
  aNumber,
  aString,
  anObjectWith,
  assertNoPromise,
  assertOptions,
  describe,
  invalidOption,
  options,
} from '../protocol/options.ts';
import type { Authorization } from './handler-options.ts';

/*
 * Checks of what the app's functions return. A slip here is the app's, so the client never gets a 400 for it:
 * `hub/invalid-option` goes where the app's own failures go.
 */

export const MEMBER: Checks<Member> = {
  id: aString,
  data: { expected: 'a value', accepts: () => true },
};

export const AUTHORIZATION: Checks<Authorization> = {
  subject: aString,
  topics: { expected: 'a list of topics and patterns', accepts: Array.isArray },
  private: { expected: 'a list of topics and patterns', accepts: Array.isArray },
  member: { ...options(MEMBER), ...anObjectWith('a member, such as { id: "ann" }', 'id') },
  expiresAt: aNumber({ min: 0 }),
  issuedAt: aNumber({ min: 0 }),
  tokenId: aString,
};

/** A forgotten `return` or a misspelt name must not let everybody in. */
export function checkAuthorization(answer: unknown): Authorization {
  if (typeof answer !== 'object' || answer === null) {
    throw invalidOption(
      'authorize',
      `Expected \`authorize\` to return an object, or to throw \`unauthorized()\` or \`forbidden()\`; got ${describe(answer)}.`,
    );
  }
  assertOptions(answer as Authorization, AUTHORIZATION, 'authorize().');
  // Leaving `topics` out grants everything. An explicit undefined is more likely a lookup that found nothing.
  if ('topics' in answer && (answer as Authorization).topics === undefined) {
    throw invalidOption(
      'authorize().topics',
      'Expected `authorize().topics` to be a list, got undefined. Leave it out to grant all but private events.',
    );
  }
  if ('private' in answer && !('topics' in answer)) {
    throw invalidOption(
      'authorize().private',
      'Expected `authorize().private` to come with `topics`, which it narrows; got it alone.',
    );
  }
  return answer;
}

export function checkTopics(answer: unknown): readonly Matcher[] | null {
  if (answer === null || Array.isArray(answer)) return answer as readonly Matcher[] | null;
  throw invalidOption(
    'topics',
    `Expected \`topics\` to return a list of topics and patterns, or null; got ${describe(answer)}.`,
  );
}

export function checkAddress(answer: unknown): string | undefined {
  assertNoPromise('address', answer);
  if (answer === undefined || typeof answer === 'string') return answer;
  throw invalidOption(
    'address',
    `Expected \`address\` to return a string or undefined, got ${describe(answer)}.`,
  );
}

/** The function that `onConnect` returned, to call at the end; undefined if it returned nothing. */
export function checkOnEnd(answer: unknown): ((end: ConnectionEnd) => void) | undefined {
  assertNoPromise('onConnect', answer);
  if (answer === undefined || typeof answer === 'function') {
    return answer as ((end: ConnectionEnd) => void) | undefined;
  }
  throw invalidOption(
    'onConnect',
    `Expected \`onConnect\` to return a function that is called at the end, or nothing; got ${describe(answer)}.`,
  );
}
