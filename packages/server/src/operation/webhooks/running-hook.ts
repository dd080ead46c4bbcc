import { type ConsumedEvent, type Consumer, type Hub, type Matcher, TidingsError, webhook } from 'tidings';
import { createMatcherSet } from 'tidings/log';
import type { Hook } from './hook.ts';
import { CONNECTIONS_TOPIC } from '../../server/reserved-topics.ts';
import { messageOf } from './message.ts';

/** Topics of which it is remembered whether anybody is there. */
const MAX_TOPICS = 10_000;

/** The outcomes of requests, for metrics. */
export interface HookCounts {
  sent(hook: string): void;
  failed(hook: string): void;
}

export interface RunningHook {
  readonly hook: Hook;
  readonly consumer: Consumer;
  /** When the present event began to fail, in milliseconds since 1970. */
  readonly failingSince: number | undefined;
  readonly lastFailure: string | undefined;
}

/** Reads what a hook is about from the log, and posts it: in order, each until it is taken. */
export function runHook(hub: Hub, hook: Hook, secrets: readonly string[], counts: HookCounts): RunningHook {
  const patterns = hook.topics.map((pattern) => ({ pattern }));
  const set = patterns.length === 0 ? undefined : createMatcherSet(patterns);
  const interest = {
    events: hook.events,
    concerns: (topic: string): boolean => set?.matchesTopic(topic) ?? true,
  };
  const occupied = new Set<string>();
  const post = webhook({
    url: hook.url,
    secret: secrets,
    timeout: hook.timeout,
    headers: { 'user-agent': 'Tidings-Webhook/1' },
    body: (event) => messageOf(event, interest, (topic) => occupied.has(topic)),
  });
  const state: { failingSince: number | undefined; lastFailure: string | undefined } = {
    failingSince: undefined,
    lastFailure: undefined,
  };

  const consumer = hub.consume(
    `webhook:${hook.name}`,
    matchersOf(hook),
    async (event, context) => {
      try {
        await post(event, context);
      } catch (error) {
        counts.failed(hook.name);
        state.failingSince ??= Date.now();
        state.lastFailure = reasonOf(error);
        throw error;
      }
      state.failingSince = undefined;
      counts.sent(hook.name);
      remember(occupied, event);
    },
    { attempts: hook.attempts },
  );

  return {
    hook,
    consumer,
    get failingSince() {
      return state.failingSince;
    },
    get lastFailure() {
      return state.lastFailure;
    },
  };
}

function matchersOf({ events }: Hook): readonly Matcher[] {
  const isAboutConnections = events.includes('connect') || events.includes('disconnect');
  const isAboutPresence = events.some((event) => event !== 'connect' && event !== 'disconnect');
  return [
    ...(isAboutConnections ? [CONNECTIONS_TOPIC] : []),
    ...(isAboutPresence ? [{ pattern: 'presence/*' }] : []),
  ];
}

function remember(occupied: Set<string>, event: ConsumedEvent): void {
  if (event.topics[0] === CONNECTIONS_TOPIC) return;
  const { topic, count } = event.json<{ topic: string; count: number }>();
  if (count === 0) occupied.delete(topic);
  else occupied.add(topic);
  // The oldest is forgotten: its next change is then called its first.
  if (occupied.size > MAX_TOPICS) for (const oldest of occupied) return void occupied.delete(oldest);
}

function reasonOf(error: unknown): string {
  if (!(error instanceof TidingsError)) return 'failed';
  const { status } = error.details;
  return typeof status === 'number' ? `answered ${status}` : 'unreachable';
}
