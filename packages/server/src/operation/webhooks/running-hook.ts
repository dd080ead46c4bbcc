import { type ConsumedEvent, type Consumer, type Hub, type Matcher, TidingsError, webhook } from 'tidings';
import { createMatcherSet } from 'tidings/log';
import { createError } from 'tidings/transport';
import { shownOrigin } from '../../config/shown-url.ts';
import type { Hook } from './hook.ts';
import { CONNECTIONS_TOPIC } from '../../server/reserved-topics.ts';
import { messageOf } from './message.ts';

/** Topics of which it is remembered whether anybody is there. */
const MAX_TOPICS = 10_000;

/** How an attempt ended: with this status, or without an answer. */
export type Outcome = number | 'timeout' | 'unreachable' | 'error';

/** The outcomes of requests, for metrics and the log. */
export interface HookWatch {
  sent(hook: string): void;
  failed(hook: string, failure: Failure): void;
  recovered(hook: string, failure: { readonly attempts: number; readonly milliseconds: number }): void;
}

/** A failed attempt, without anything that could be a secret: no headers, no body, and of the URL only the origin. */
export interface Failure {
  readonly url: string;
  readonly attempt: number;
  readonly outcome: Outcome;
  /** Whether the event is tried again. */
  readonly isRetried: boolean;
}

export interface RunningHook {
  readonly hook: Hook;
  readonly consumer: Consumer;
  /** When the present event began to fail, in milliseconds since 1970. */
  readonly failingSince: number | undefined;
  readonly lastFailure: string | undefined;
}

/** Reads what a hook is about from the log, and posts it: in order, each until it is taken. */
export function runHook(hub: Hub, hook: Hook, secrets: readonly string[], watch: HookWatch): RunningHook {
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
        // Stopped, or another server goes on: the receiver has refused nothing.
        if (context.signal.aborted) throw error;
        const { attempt } = context;
        const outcome = outcomeOf(error);
        watch.failed(hook.name, {
          url: shownOrigin(hook.url),
          attempt,
          outcome,
          isRetried: attempt < hook.attempts,
        });
        state.failingSince ??= Date.now();
        state.lastFailure = typeof outcome === 'number' ? `answered ${outcome}` : outcome;
        // Not the error itself: it names the URL, whose path may be a secret.
        throw createError('webhook/failed', `The webhook "${hook.name}" failed: ${state.lastFailure}.`, {
          details: { hook: hook.name, ...(typeof outcome === 'number' && { status: outcome }) },
        });
      }
      if (state.failingSince !== undefined)
        watch.recovered(hook.name, {
          attempts: context.attempt,
          milliseconds: Date.now() - state.failingSince,
        });
      state.failingSince = undefined;
      watch.sent(hook.name);
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

function outcomeOf(error: unknown): Outcome {
  if (!(error instanceof TidingsError)) return 'error';
  const { status } = error.details;
  if (typeof status === 'number') return status;
  return error.cause instanceof Error && error.cause.name === 'TimeoutError' ? 'timeout' : 'unreachable';
}
