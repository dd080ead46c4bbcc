import type { DirectEvent, Matcher } from 'tidings';
import { TOPICS } from '../../shared/api.ts';
import type { Events } from '../../shared/api.ts';
import type { Viewers } from '../analytics/viewers.ts';
import type { ConnectionWatch } from '../connections/watch.ts';
import type { Dashboard } from '../dashboard/dashboard.ts';

/** The features that greet a new connection with the state their deltas change. */
export interface GreetingSources {
  readonly viewers: Viewers;
  readonly dashboard: Dashboard;
  readonly connectionWatch: ConnectionWatch;
}

export interface Greetings {
  /** The snapshots for a visitor's connection that asks for these topics. */
  for(topics: readonly Matcher[], visitor: string): DirectEvent[];
  /** Of all snapshots so far, as they are on the wire, if it isn't compressed. */
  bytes(): number;
}

export function createGreetings(sources: GreetingSources): Greetings {
  let bytes = 0;

  function encode({ type, data }: TopicGreeting): DirectEvent {
    const text = JSON.stringify(data());
    bytes += Buffer.byteLength(`event: ${type}\ndata: ${text}\n\n`);
    return { type, data: text, raw: true };
  }

  return {
    for: (topics, visitor) =>
      greetings(sources, visitor)
        .filter(({ topic }) => topics.includes(topic))
        .map(encode),
    bytes: () => bytes,
  };
}

interface TopicGreeting<T extends keyof Events = keyof Events> {
  topic: string;
  type: T;
  data: () => Events[T];
}

function greetings(
  { dashboard, viewers, connectionWatch }: GreetingSources,
  visitor: string,
): TopicGreeting[] {
  return [
    { topic: TOPICS.dashboard, type: 'dashboard:snapshot', data: dashboard.snapshot },
    { topic: TOPICS.viewers, type: 'viewers:snapshot', data: viewers.snapshot },
    {
      topic: TOPICS.connections,
      type: 'connections:snapshot',
      data: () => connectionWatch.snapshot(visitor),
    },
  ];
}
