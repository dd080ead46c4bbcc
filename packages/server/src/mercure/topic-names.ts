import type { Matcher } from 'tidings';
import { SERVER_PREFIX } from '../server/reserved-topics.ts';
import { WILDCARD } from './characters.ts';

/** The topic on the log that stands for the path of all subscriptions. */
const STORED = `${SERVER_PREFIX}mercure/subscriptions`;
export const SUBSCRIPTION_TOPICS: Matcher = { pattern: `${STORED}*` };

/**
 * The topics of the hub itself, those of subscriptions, have names of the server's own on the log: there, `*` in a token of
 * the HTTP API doesn't reach them. In this protocol it does.
 */
export interface TopicNames {
  /** The name on the log of a topic of the protocol. */
  onLog(topic: string): string;
  /** The other way round; undefined if the protocol has no such topic: it is another part's own. */
  inProtocol(topic: string): string | undefined;
  /** Matches every topic. */
  readonly everything: readonly Matcher[];
}

/** @param path of all subscriptions; undefined if they aren't announced. */
export function createTopicNames(path: string | undefined): TopicNames {
  const isWithin = (topic: string, root: string): boolean => topic === root || topic.startsWith(`${root}/`);
  return {
    onLog: (topic) =>
      path !== undefined && isWithin(topic, path) ? STORED + topic.slice(path.length) : topic,
    inProtocol(topic) {
      if (!topic.startsWith(SERVER_PREFIX)) return topic;
      return path !== undefined && isWithin(topic, STORED) ? path + topic.slice(STORED.length) : undefined;
    },
    everything: [{ pattern: WILDCARD }, ...(path === undefined ? [] : [SUBSCRIPTION_TOPICS])],
  };
}
