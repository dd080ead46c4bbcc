import { looksLikePattern } from '../protocol/escape-pattern.ts';
import { createMatcherSet } from '../protocol/matcher-set.ts';
import {
  type Check,
  type Checks,
  aFunction,
  assertOptions,
  describe,
  either,
  invalidOption,
  options,
} from '../protocol/options.ts';
import type { Matcher } from '../protocol/matcher.ts';
import { CORS_OPTIONS, assertCors } from './cors.ts';
import type { HandlerOptions } from './handler-options.ts';

export const HANDLER_OPTIONS: Checks<HandlerOptions<never>> = {
  topics: either({ expected: 'a list of topics', accepts: Array.isArray }, aFunction),
  authorize: aFunction,
  greeting: aFunction,
  onConnect: aFunction,
  cors: options(CORS_OPTIONS),
  headers: { expected: 'a plain object of header names and values', accepts: isPlainObject },
  address: aFunction,
};

/**
 * Checks the options at startup, for callers without types: with `authorise` instead of `authorize`, everybody would
 * get in.
 *
 * @param added the checks of this transport's own options.
 * @throws {TidingsError} `hub/invalid-option`.
 */
export function assertHandlerOptions<Options extends HandlerOptions<never>>(
  given: Options,
  added: Readonly<Record<string, Check>> = {},
): void {
  assertOptions<object>(given, { ...HANDLER_OPTIONS, ...added });
  const { topics, cors, headers } = given;
  if (Array.isArray(topics)) assertTopics(topics as readonly Matcher[]);
  if (cors !== undefined) assertCors(cors);
  if (headers !== undefined) assertHeaders(headers);
}

function assertTopics(topics: readonly Matcher[]): void {
  if (topics.length === 0)
    throw invalidOption('topics', 'Expected `topics` to name at least one topic, got an empty list.');
  const slip = topics.find((topic) => typeof topic === 'string' && looksLikePattern(topic));
  if (slip !== undefined) {
    const message =
      `The topic ${JSON.stringify(slip)} of \`topics\` looks like a pattern, and nothing is published on it. ` +
      `Write { pattern: ${JSON.stringify(slip)} }.`;
    throw invalidOption('topics', message);
  }
  try {
    createMatcherSet(topics);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw invalidOption('topics', `\`topics\` is no list of topics and patterns. ${reason}`);
  }
}

/** https://www.rfc-editor.org/rfc/rfc9110#section-5.1 and section 5.5 */
const HEADER_NAME = /^[!#$%&'*+.^_`|~\w-]+$/;
const HEADER_VALUE = /^[\t\u0020-\u007e\u0080-\u00ff]*$/;

function assertHeaders(headers: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(headers)) {
    if (!HEADER_NAME.test(name))
      throw invalidOption('headers', `Expected the name of a header in \`headers\`, got ${describe(name)}.`);
    if (typeof value !== 'string' || !HEADER_VALUE.test(value)) {
      const message = `Expected \`headers.${name}\` to be a string of Latin-1 without line ends, got ${describe(value)}.`;
      throw invalidOption(`headers.${name}`, message);
    }
  }
}

/** A `Headers` or a `Map` has no properties: none of its headers would be sent. */
function isPlainObject(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
