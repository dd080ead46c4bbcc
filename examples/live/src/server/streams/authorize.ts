import { forbidden, unauthorized } from 'tidings';
import type { Authorization } from 'tidings/express';
import { TOPICS, userTopic } from '../../shared/api.ts';
import type { User } from '../../shared/api.ts';
import { HttpProblem } from '../http/problem.ts';

const publicTopics = new Set<string>(Object.values(TOPICS));
const USER_TOPIC = /^user\/[1-9][0-9]{0,14}$/;
const MAX_TOPICS = 10;

/**
 * The topics that the query asks for.
 *
 * @throws HttpProblem 400 `topic/unknown` for unknown topics: a mistake is reported, not waited on forever
 */
export function wantedTopics(params: URLSearchParams): string[] {
  const topics = [...new Set(params.getAll('topic'))];
  if (params.has('pattern')) throw unknown('Patterns are not offered here; name the topics.');
  if (topics.length > MAX_TOPICS) throw unknown(`At most ${MAX_TOPICS} topics fit one connection.`);
  for (const topic of topics) {
    if (!publicTopics.has(topic) && !USER_TOPIC.test(topic)) {
      throw unknown(`There is no topic ${JSON.stringify(topic.slice(0, 50))}.`);
    }
  }
  return topics;
}

/**
 * Decides who may read a topic: everyone the public ones, and only that user `user/<id>`.
 *
 * @throws TidingsError 401 without a session, 403 for somebody else's topic
 */
export function authorizeTopics(
  user: User | undefined,
  expiresAt: number,
  topics: readonly string[],
): Authorization {
  const isPrivate = topics.filter((topic) => USER_TOPIC.test(topic));
  if (user === undefined) {
    if (isPrivate.length > 0) throw unauthorized('Sign in to read your notifications.');
    return { topics };
  }
  if (isPrivate.some((topic) => topic !== userTopic(user.id))) {
    throw forbidden('These notifications are for somebody else.');
  }
  // Streams that began with a session end with it, even those of public topics only: they count as that user's.
  return { subject: String(user.id), topics, expiresAt };
}

function unknown(detail: string): HttpProblem {
  return new HttpProblem(400, 'topic/unknown', detail);
}
