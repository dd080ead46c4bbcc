import { SUBSCRIBED } from '../protocol/control.ts';
import { readNotice } from '../protocol/notice.ts';
import { describe } from '../protocol/options.ts';
import { TidingsError } from '../protocol/tidings-error.ts';
import type { Matcher } from '../protocol/matcher.ts';
import { requestChange } from './change-request.ts';
import { countedChanges } from './counts.ts';
import type { Settings } from './settings.ts';
import { isMatcher, type KnownTopics, marksPlace, type Topics } from './fixed-topics.ts';
import type { Failure } from './response.ts';
import { begin, type Effect, type Input, type Order, transition } from './topics-machine.ts';
import type { Wish } from './topic-progress.ts';

/**
 * Topics that change while the client is open. Clients load this file when they first change a topic or renew an
 * authorization; the others never do.
 */
export interface ChangingTopics extends Topics {
  /**
   * `started` is called when a change is under way.
   *
   * @returns the cursor after which the added topics' events begin.
   * @throws {TidingsError}
   */
  change(wish: Wish, started: () => void): Promise<string>;
  /** Renews the connection's authorization. @returns the error if that failed, unless the connection is over. */
  renew(): Promise<TidingsError | undefined>;
}

export interface ChangeHooks {
  /** Where to send changes. */
  readonly url: () => string;
  readonly onReplace: () => void;
  readonly onFailure: (failure: Failure) => void;
  readonly onLost: (matchers: readonly Matcher[]) => void;
}

interface Waiting {
  readonly resolve: (cursor: string) => void;
  readonly reject: (error: TidingsError) => void;
}

/** Performs what `topics-machine.ts` decides. */
export function takeOver(settings: Settings, known: KnownTopics, hooks: ChangeHooks): ChangingTopics {
  let state = begin(known);
  let orders = 0;
  /** For the current connection. */
  let controller = new AbortController();
  const waiting = new Map<number, Waiting>();

  function send(input: Input): void {
    const step = transition(state, input);
    state = step.state;
    for (const effect of step.effects) perform(effect);
  }

  function perform(effect: Effect): void {
    switch (effect.type) {
      case 'ask': {
        const { signal } = controller;
        void requestChange(settings, hooks.url(), effect.change, signal).then((reply) => {
          // The next connection is asked anew.
          if (!signal.aborted) send({ type: 'replied', reply });
        });
        return;
      }
      case 'cancel':
        controller.abort();
        controller = new AbortController();
        return;
      case 'resolve':
        return take(effect.order)?.resolve(effect.cursor);
      case 'reject':
        return take(effect.order)?.reject(effect.error);
      case 'replace':
        return hooks.onReplace();
      case 'fail':
        return hooks.onFailure(effect.failure);
      case 'lost':
        return hooks.onLost(effect.matchers);
    }
  }

  function take({ id }: Order): Waiting | undefined {
    const found = waiting.get(id);
    waiting.delete(id);
    return found;
  }

  const changed = (wish: Wish): Promise<string> =>
    new Promise((resolve, reject) => {
      orders += 1;
      waiting.set(orders, { resolve, reject });
      send({ type: 'wish', order: { id: orders, ...wish } });
    });
  const change = settings.shared ? countedChanges(settings.topics, changed) : changed;

  return {
    change(wish, started) {
      for (const topic of [...wish.add, ...wish.drop] as unknown[])
        if (!isMatcher(topic)) return Promise.reject(notATopic(topic));
      const made = change(wish);
      started();
      return made;
    },
    request(cursor, whole) {
      send({ type: 'request', cursor, whole });
      return state.request;
    },
    welcomed: (first) => send({ type: 'welcomed', first }),
    handed(item, moved) {
      if (!marksPlace(item, moved)) return;
      const told =
        'type' in item && item.type === SUBSCRIBED
          ? { matchers: readNotice(item.data).topics, cursor: item.id }
          : undefined;
      send({ type: 'marked', told });
    },
    left: () => send({ type: 'left' }),
    begin: () => send({ type: 'begin' }),
    async renew() {
      const credentials = 'session' in state ? state.session.credentials : undefined;
      if (credentials === undefined) return undefined;
      const { signal } = controller;
      const reply = await requestChange(settings, hooks.url(), credentials, signal);
      if (signal.aborted || reply.type === 'changed') return undefined;
      return reply.type === 'refused' ? reply.failure.error : reply.error;
    },
    finish: (error) => send({ type: 'finish', error }),
  };
}

function notATopic(topic: unknown): TidingsError {
  const message = `Expected a topic or { pattern }, got ${describe(topic)}.`;
  return new TidingsError('topic/invalid', message, { status: 400 });
}
