import type { ReceivedEvent } from '../client/event-client.ts';
import { isMatcher } from '../client/fixed-topics.ts';
import type { Matcher } from '../protocol/matcher.ts';
import {
  aBoolean,
  aFunction,
  aNumber,
  aString,
  type Check,
  type Checks,
  checkOptions,
  oneOf,
} from '../protocol/options.ts';
import { TidingsError } from '../protocol/tidings-error.ts';
import type {
  EventHookOptions,
  LatestOptions,
  ListOptions,
  PresenceOptions,
  ReducerOptions,
  StatesOptions,
} from './options.ts';

const anything: Check = { expected: 'anything', accepts: () => true };
const text = (value: unknown): boolean => typeof value === 'string' && value !== '';
const oneOrMore = (expected: string, accepts: (value: unknown) => boolean): Check => ({
  expected,
  accepts: (value) => (Array.isArray(value) ? value.every(accepts) : accepts(value)),
});
const names = oneOrMore('a name or a list of names', text);
const topics = oneOrMore('a topic, a { pattern } or a list of them', (value) => isMatcher(value));

export const EVENT_OPTIONS: Checks<EventHookOptions<Matcher>> = { topics };
export const LATEST_OPTIONS: Checks<LatestOptions<Matcher, unknown>> = { topics, initial: anything };
export const STATE_OPTIONS: Checks<StatesOptions<Matcher, unknown>> = {
  topics,
  key: names,
  removedBy: names,
  initial: { expected: 'a Map', accepts: (value) => value instanceof Map },
};
export const LIST_OPTIONS: Checks<ListOptions<Matcher, unknown, ReceivedEvent>> = {
  topics,
  limit: aNumber({ min: 1, integer: true }),
  order: oneOf('newest-last', 'newest-first'),
  key: names,
  removedBy: names,
  reduce: aFunction,
  initial: { expected: 'a list', accepts: Array.isArray },
  cursor: aString,
  load: aFunction,
};
export const REDUCER_OPTIONS: Checks<ReducerOptions<Matcher, unknown>> = {
  topics,
  initial: anything,
  cursor: aString,
  load: aFunction,
};
export const PRESENCE_OPTIONS: Checks<PresenceOptions> = { join: aBoolean };

/** @throws {TidingsError} `client/invalid-option` */
export function checkHookOptions<Options extends object>(options: Options, checks: Checks<Options>): void {
  checkOptions(
    options,
    checks,
    '',
    (option, message, value) =>
      new TidingsError('client/invalid-option', message, { details: { option, value } }),
  );
}
