import type { Matcher } from 'tidings';
import { SERVER_PREFIX } from '../server/reserved-topics.ts';
import { WILDCARD } from './characters.ts';

/** Where the log has the hub's own topics. */
const PREFIX = `${SERVER_PREFIX}mercure/`;
export const SUBSCRIPTION_TOPICS: Matcher = { pattern: `${PREFIX}*` };

/**
 * The topics of the hub itself, those of subscriptions, have names of the server's own on the log: there, `*` in a token of
 * the HTTP API doesn't reach them. In this protocol it does.
 */
export interface TopicNames {
  /** The name on the log of a topic of the protocol. */
  onLog(topic: string): string;
  /** The other way round; undefined if the protocol has no such topic: it is another part's own. */
  inProtocol(topic: string): string | undefined;
  /** What matches every topic. */
  readonly everything: readonly Matcher[];
}

/** @param path of all subscriptions; undefined if they aren't announced. */
export function createTopicNames(path: string | undefined): TopicNames {
  return {
    onLog: (topic) =>
      path !== undefined && (topic === path || topic.startsWith(`${path}/`))
        ? PREFIX + topic.slice(path.length + 1)
        : topic,
    inProtocol(topic) {
      if (!topic.startsWith(SERVER_PREFIX)) return topic;
      if (path === undefined || !topic.startsWith(PREFIX)) return undefined;
      return `${path}/${topic.slice(PREFIX.length)}`;
    },
    everything: [{ pattern: WILDCARD }, ...(path === undefined ? [] : [SUBSCRIPTION_TOPICS])],
  };
}
