import type { ConnectionEnd, ConnectionInfo, ConsumedEvent, Presence } from 'tidings';
import { CONNECTIONS_TOPIC } from '../../server/reserved-topics.ts';
import type { HookEvent } from './hook.ts';

/** How many topics of a connection are named. */
const TOPICS_NAMED = 100;

/** A request's body, in the form of https://www.standardwebhooks.com. */
export interface Message {
  readonly type: HookEvent;
  /** When it happened, as ISO 8601. */
  readonly timestamp: string;
  readonly data: unknown;
}

/** The record on the log of a connection that begins or is over. */
export interface ConnectionRecord {
  readonly connection: string;
  readonly subject: string | undefined;
  readonly remote: string | undefined;
  readonly protocol: string;
  readonly topics: ConnectionInfo['topics'];
  readonly reason?: string;
  readonly delivered?: number;
  readonly bytes?: number;
  /** Milliseconds. */
  readonly duration?: number;
}

export function toRecord(connection: ConnectionInfo, end?: ConnectionEnd): ConnectionRecord {
  const { id, subject, remote, protocol, topics } = connection;
  const duration = end && { duration: Math.round(end.duration) };
  return {
    connection: id,
    subject,
    remote,
    protocol,
    topics: topics.slice(0, TOPICS_NAMED),
    ...end,
    ...duration,
  };
}

/** The kinds of messages that a hook gets. */
export interface Interest {
  readonly events: readonly HookEvent[];
  /** Whether it is about this topic. */
  readonly concerns: (topic: string) => boolean;
}

/**
 * The message about an event of the log, if the hook wants it. A change of presence is one message: if the topic was empty
 * before, or is now, and the hook asks for that, under that type.
 *
 * @param wasOccupied whether anybody was on the topic before, as far as is known.
 */
export function messageOf(
  event: ConsumedEvent,
  { events, concerns }: Interest,
  wasOccupied: (topic: string) => boolean,
): Message | undefined {
  const timestamp = new Date(event.time).toISOString();
  if (event.topics[0] === CONNECTIONS_TOPIC) {
    const type = event.type as 'connect' | 'disconnect';
    const record = event.json<ConnectionRecord>();
    const isConcerned = record.topics.some((topic) => typeof topic !== 'string' || concerns(topic));
    return events.includes(type) && isConcerned ? { type, timestamp, data: record } : undefined;
  }
  const data = event.json<Presence & { readonly topic: string }>();
  if (!concerns(data.topic)) return undefined;
  const turn = data.count === 0 ? 'topic-empty' : wasOccupied(data.topic) ? undefined : 'topic-occupied';
  const type = turn !== undefined && events.includes(turn) ? turn : 'presence';
  return events.includes(type) ? { type, timestamp, data } : undefined;
}
