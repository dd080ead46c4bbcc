import { HIDDEN_PREFIX, PRESENCE_PREFIX } from '../../protocol/matcher.ts';
import type { MatcherSet } from '../../protocol/matcher-set.ts';
import type { NewEvent } from '../../protocol/event.ts';

type HubTopic = 'nodes' | 'members' | 'disconnects' | 'revocations' | 'consumers' | 'cursors' | 'lost';

/** The topics on which hubs tell each other things. All are states; ADR 0012 has them. */
export const HUB_TOPICS: Readonly<Record<HubTopic, string>> = {
  /** Key: a node's id. Value: `Lease`. It expires if the node doesn't renew it. */
  nodes: `${HIDDEN_PREFIX}nodes`,
  /** And a node's id. Key: the number of a page. Value: `PageData`. */
  members: `${HIDDEN_PREFIX}members/`,
  /** Key: random. Value: `DisconnectOrder`. Expires soon. */
  disconnects: `${HIDDEN_PREFIX}disconnects`,
  /** Value: `Revocation`. */
  revocations: `${HIDDEN_PREFIX}revocations`,
  /** Key: a consumer's name. Value: the holder's id. Expires if the holder doesn't renew it. */
  consumers: `${HIDDEN_PREFIX}consumers`,
  /** Key: a consumer's name. Value: its cursor. */
  cursors: `${HIDDEN_PREFIX}cursors`,
  /** Key: an epoch. Value: `LostEnd`, the events that were lost when it ended. Expires after a day. */
  lost: `${HIDDEN_PREFIX}lost`,
};

/** All of them; with `presence`, also what is announced to everybody. No pattern of anybody else matches hidden topics. */
export function hubMatchers(presence: boolean): MatcherSet {
  const prefixes = presence ? [HIDDEN_PREFIX, PRESENCE_PREFIX] : [HIDDEN_PREFIX];
  const matchesTopic = (topic: string): boolean => prefixes.some((prefix) => topic.startsWith(prefix));
  return {
    matchers: prefixes.map((prefix) => ({ pattern: `${prefix}*` })),
    topics: new Set(),
    patterns: prefixes.map((prefix) => ({
      pattern: `${prefix}*`,
      matches: (topic: string) => topic.startsWith(prefix),
    })),
    key: prefixes.join('\n'),
    matchesTopic,
    matches: (topics) => topics.some(matchesTopic),
    covers: () => false,
  };
}

export function hubEvent(topic: string, key: string, value: unknown, more: Partial<NewEvent> = {}): NewEvent {
  const data = JSON.stringify(value);
  return {
    topics: [topic],
    type: undefined,
    data,
    id: undefined,
    key,
    tombstone: false,
    private: true,
    ...more,
  };
}

/** Deletes a key. `ifSeq`: only if its value is the one of this seq. */
export function hubDeletion(topic: string, key: string, ifSeq?: number): NewEvent {
  return hubEvent(topic, key, null, { tombstone: true, ...(ifSeq !== undefined && { ifSeq }) });
}
