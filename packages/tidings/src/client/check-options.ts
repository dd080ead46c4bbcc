import {
  aBoolean,
  aFunction,
  anObjectWith,
  aString,
  type Check,
  type Checks,
  checkOptions,
  either,
  oneOf,
  options as bag,
} from '../protocol/options.ts';
import { TidingsError } from '../protocol/tidings-error.ts';
import type { RetryPolicy } from './backoff.ts';
import { isMatcher } from './fixed-topics.ts';
import type { ClientOptions, SharingOptions } from './options.ts';

const anything: Check = { expected: 'anything', accepts: () => true };
const text: Check = { expected: 'text', accepts: (value) => typeof value === 'string' };
const atLeast = (least: number): Check => ({
  expected: `a number ≥ ${least}`,
  accepts: (value) => typeof value === 'number' && value >= least,
});
const TOPICS: Check = {
  expected: 'a list of topics and { pattern }s',
  accepts: (value) => Array.isArray(value) && value.every(isMatcher),
};
const HEADERS: Check = {
  expected: 'headers',
  accepts: (value) => typeof value === 'object' || typeof value === 'function',
};
const METHOD: Check = {
  expected: 'a method that `fetch` can send',
  accepts: (value) =>
    typeof value === 'string' && /^(?!(connect|trace|track)$)[\w!#$%&'*+.^`|~-]+$/i.test(value),
};

export const RETRY_OPTIONS: Checks<RetryPolicy> = {
  base: atLeast(0),
  max: atLeast(0),
  attempts: atLeast(0),
};
export const TIMEOUTS: Checks<NonNullable<ClientOptions['timeouts']>> = {
  hooks: atLeast(1),
  firstByte: atLeast(1),
  read: atLeast(1),
};

export const SHARING_OPTIONS: Checks<SharingOptions> = {
  key: text,
  environment: anObjectWith('an environment', 'channel', 'lock', 'watch'),
};

export const CLIENT_OPTIONS: Checks<ClientOptions> = {
  topics: TOPICS,
  cursor: text,
  cursorIn: either(oneOf('header', 'query'), {
    ...bag<{ query: string }>({ query: aString }),
    ...anObjectWith('{ query }', 'query'),
  }),
  persist: aString,
  load: aFunction,
  method: METHOD,
  body: anything,
  headers: HEADERS,
  credentials: oneOf('omit', 'same-origin', 'include'),
  signal: anObjectWith('an AbortSignal', 'aborted', 'addEventListener'),
  retry: bag(RETRY_OPTIONS),
  shouldRetry: aFunction,
  once: aBoolean,
  isLast: aFunction,
  whileHidden: oneOf('keep', 'pause'),
  longPoll: oneOf('auto', 'always', 'never'),
  timeouts: bag(TIMEOUTS),
  shared: either(aBoolean, bag(SHARING_OPTIONS)),
  maxEventBytes: atLeast(1),
  fetch: aFunction,
  environment: anObjectWith('an environment', 'watch'),
  random: aFunction,
  timers: anObjectWith('timers', 'now', 'setTimer'),
};

export const invalid = (option: string, message: string, value?: unknown, cause?: unknown): TidingsError =>
  new TidingsError('client/invalid-option', message, { cause, details: { option, value } });

/** @throws {TidingsError} `client/invalid-option` for names that don't exist and values of the wrong kind. */
export function checkClientOptions(options: ClientOptions): void {
  checkOptions(options, CLIENT_OPTIONS, '', invalid);
  // Any of the tabs asks for a shared stream, and again and again.
  for (const name of options.shared ? (['method', 'body', 'once'] as const) : [])
    if (options[name]) throw invalid(name, `A stream that is \`shared\` has no \`${name}\`.`);
}
