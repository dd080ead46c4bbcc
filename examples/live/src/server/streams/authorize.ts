import { forbidden, unauthorized } from 'tidings';
import type { Matcher } from 'tidings';
import type { Authorization } from 'tidings/express';
import { PAGES, TOPICS, countingTopics, userTopic } from '../../shared/api.ts';
import type { User } from '../../shared/api.ts';
import { HttpProblem } from '../http/problem.ts';

const PUBLIC: readonly string[] = [
  ...new Set([...Object.values(TOPICS), ...Object.keys(PAGES).flatMap(countingTopics)]),
];
const isPublic: ReadonlySet<string> = new Set(PUBLIC);
const USER_TOPIC = /^user\/[1-9][0-9]{0,14}$/;

/**
 * Decides who may read a topic: everyone the public ones, and only that user `user/<id>`. The answer is the same for all
 * topics that a reader may ask for: streams share one connection only if they may read the same.
 *
 * @throws HttpProblem 400 `topic/unknown` for unknown topics: a mistake is reported, not waited on forever
 * @throws TidingsError 401 without a session, 403 for somebody else's topic
 */
export function authorizeTopics(
  user: User | undefined,
  expiresAt: number,
  wanted: readonly Matcher[],
): Authorization {
  const isPrivate = wanted.filter((matcher) => !isPublic.has(nameOf(matcher)));
  if (user === undefined) {
    if (isPrivate.length > 0) throw unauthorized('Sign in to read your notifications.');
    return { topics: PUBLIC };
  }
  const own = userTopic(user.id);
  if (isPrivate.some((topic) => topic !== own)) {
    throw forbidden('These notifications are for somebody else.');
  }
  // Streams that began with a session end with it, even those of public topics only: they count as that user's.
  return { subject: String(user.id), topics: [...PUBLIC, own], expiresAt };
}

function nameOf(matcher: Matcher): string {
  if (typeof matcher !== 'string') throw unknown('Patterns are not offered here; name the topics.');
  if (isPublic.has(matcher) || USER_TOPIC.test(matcher)) return matcher;
  throw unknown(`There is no topic ${JSON.stringify(matcher.slice(0, 50))}.`);
}

function unknown(detail: string): HttpProblem {
  return new HttpProblem(400, 'topic/unknown', detail);
}
