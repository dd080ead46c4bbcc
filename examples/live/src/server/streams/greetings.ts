import type { Matcher } from 'tidings';
import type { Greeting } from 'tidings/express';
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

/** The snapshots for a connection that asks for these topics. */
export function greetingsFor(sources: GreetingSources, topics: readonly Matcher[]): Greeting[] {
  return greetings(sources)
    .filter(({ topic }) => topics.includes(topic))
    .map(({ type, data }) => ({ type, data: data() }));
}

interface TopicGreeting<T extends keyof Events = keyof Events> {
  topic: string;
  type: T;
  data: () => Events[T];
}

function greetings({ dashboard, viewers, connectionWatch }: GreetingSources): TopicGreeting[] {
  return [
    { topic: TOPICS.dashboard, type: 'dashboard:snapshot', data: dashboard.snapshot },
    { topic: TOPICS.viewers, type: 'viewers:snapshot', data: viewers.snapshot },
    { topic: TOPICS.connections, type: 'connections:snapshot', data: connectionWatch.snapshot },
  ];
}
