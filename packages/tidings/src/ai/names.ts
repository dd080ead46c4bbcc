import { RUNS_PREFIX } from '../protocol/matcher.ts';
import { createError } from '../protocol/errors.ts';
import type { TidingsError } from '../protocol/tidings-error.ts';

/** A run's topics and its key. */
export interface RunName {
  readonly chat: string;
  readonly id: string;
  /** Identifies the run among all chats. */
  readonly key: string;
  /** The beginning of the keys of the chat's runs, before a slash. */
  readonly chatKey: string;
  /** The records of the chat's runs. */
  readonly chatTopic: string;
  /** The run's chunks, and its record. */
  readonly topic: string;
}

/** The records of all runs. */
export const RECORDS: string = `${RUNS_PREFIX}records`;
/** A key for each process that produces runs, which expires when the process is gone. */
export const OWNERS: string = `${RUNS_PREFIX}owners`;
/**
 * Requests to stop a run that another process produces or that is still to begin. The key is the run's, or that of a chat:
 * whatever is being written there.
 */
export const STOPS: string = `${RUNS_PREFIX}stops`;
/** Runs that have viewers on another process than their own. */
export const WATCHES: string = `${RUNS_PREFIX}watches`;

/** Event keys have 255 characters. */
const MAX_KEY_LENGTH = 250;

/** @throws {TidingsError} `run/invalid-name`. */
export function nameRun(chat: string, id: string): RunName {
  const chatKey = chatKeyOf(chat);
  const chatTopic = chatTopicOf(chat);
  const key = `${chatKey}/${encodeName('id', id)}`;
  if (key.length > MAX_KEY_LENGTH) throw tooLong(key, { chat, id });
  return { chat, id, key, chatKey, chatTopic, topic: `${chatTopic}/${encodeName('id', id)}` };
}

/**
 * The beginning of the keys of the chat's runs, before a slash.
 *
 * @throws {TidingsError} `run/invalid-name`.
 */
export function chatKeyOf(chat: string): string {
  const key = encodeName('chat', chat);
  if (key.length > MAX_KEY_LENGTH) throw tooLong(key, { chat });
  return key;
}

function tooLong(key: string, details: Readonly<Record<string, string>>): TidingsError {
  const message = `A chat and the id of a run have at most ${MAX_KEY_LENGTH} characters together, percent-encoded; got ${key.length}.`;
  return createError('run/invalid-name', message, { details });
}

/** @throws {TidingsError} `run/invalid-name`. */
export function chatTopicOf(chat: string): string {
  return `${RUNS_PREFIX}chat/${chatKeyOf(chat)}`;
}

/** @throws {TidingsError} `run/invalid-name`. */
export function encodeName(what: 'chat' | 'id' | 'stream' | 'scope', text: unknown): string {
  if (typeof text === 'string' && text !== '' && text.length <= MAX_KEY_LENGTH && text.isWellFormed())
    return encodeURIComponent(text);
  const message = `Expected \`${what}\` to be a string of 1 to ${MAX_KEY_LENGTH} characters without lone surrogates.`;
  throw createError('run/invalid-name', message, { details: { [what]: text } });
}
