import { createError } from './errors.ts';
import type { TidingsError } from './tidings-error.ts';

/**
 * One thing a subscriber asks for: an exact topic, or every topic that a URL Pattern matches.
 *
 * Patterns use the syntax of the URL Pattern standard: `user/:id` stands for one segment, `posts/*` for the rest.
 * `pattern.ts` says which part of it.
 */
export type Matcher = string | { readonly pattern: string };

export const MAX_TOPIC_LENGTH = 1024;

/** The prefix of the hub's own topics: presence on the topic that follows. `publish` refuses them. */
export const PRESENCE_PREFIX = 'presence/';

/** Topics of Tidings' own programs, such as the server. Only patterns that begin with this prefix match them. */
export const OWN_PREFIX = 'tidings/';

/** Topics of runs (`tidings/ai`): states on any log. Only patterns that begin with this prefix match them. */
export const RUNS_PREFIX = 'tidings/runs/';

/**
 * The prefix of topics that only hubs use, among themselves. Nobody can ask for them or publish on them, since no
 * topic of anybody else has a control character; and no pattern matches them.
 */
export const HIDDEN_PREFIX = '\u0001';

/**
 * C0 controls and DEL, which would end a line of the stream, hide in a log, or run two keys into one; and half
 * surrogate pairs, which UTF-8 can't encode.
 */
// oxlint-disable-next-line no-control-regex
export const UNUSABLE: RegExp = /[\u0000-\u001f\u007f]|\p{Surrogate}/u;

/** @throws {TidingsError} `topic/invalid`, `topic/too-long` (status 400). `maxLength` counts UTF-16 units. */
export function assertTopic(topic: string, maxLength: number = MAX_TOPIC_LENGTH): void {
  if (typeof topic !== 'string' || topic === '') throw invalid('A topic is a non-empty string.', topic);
  if (topic.length > maxLength) {
    throw createError(
      'topic/too-long',
      `A topic may have ${maxLength} characters; this one has ${topic.length}.`,
      {
        details: { length: topic.length, maxLength },
      },
    );
  }
  if (UNUSABLE.test(topic))
    throw invalid('A topic has no control characters (CR, LF, NUL…) or lone surrogates.', topic);
}

/** One text for one matcher, for keys and logs: the topic, or the pattern behind a prefix no topic can have. */
export function matcherKey(matcher: Matcher): string {
  return typeof matcher === 'string' ? matcher : `\u0000${matcher.pattern}`;
}

function invalid(message: string, topic: unknown): TidingsError {
  return createError('topic/invalid', message, { details: { topic } });
}
