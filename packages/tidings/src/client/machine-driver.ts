import { TidingsError } from '../protocol/tidings-error.ts';
import { createClientTopics } from './client-topics.ts';
import type { CursorKeeper } from './cursor-keeper.ts';
import type { Delivery } from './delivery.ts';
import type { Sign } from './environment.ts';
import type { Listeners, Signals } from './listeners.ts';
import {
  type Circumstances,
  type Effect,
  INITIAL,
  type Input,
  longestSilence,
  type State,
  type Status,
  transition,
} from './machine.ts';
import type { Settings } from './settings.ts';
import { openSession, type Session, type Shared } from './session.ts';
import type { Wish } from './topic-progress.ts';

/** Drives the machine: gives it inputs, and performs the effects that it decides on. */
export interface MachineDriver {
  readonly status: Status;
  readonly heardAt: number | undefined;
  start(signal: AbortSignal | undefined): void;
  send(input: Input): void;
  hold(reason: Hold): void;
  release(reason: Hold): void;
  change(wish: Wish): Promise<string>;
}

/** A reason to stay disconnected: the app wants it, the page is hidden, the page is being left. */
export type Hold = 'app' | 'hide' | 'leave';

/** How long a silent server still counts as alive after its announced heartbeat was due, in milliseconds. */
const SLACK = 5_000;

export function createDriver(
  settings: Settings,
  keeper: CursorKeeper,
  delivery: Delivery,
  listeners: Listeners<Signals>,
): MachineDriver {
  const inputs: Input[] = [];
  const holds = new Set<Hold>();
  const cleanUp: (() => void)[] = [];
  let state: State = INITIAL;
  let stepping = false;
  let session: Session | undefined;
  let stopWaiting: (() => void) | undefined;

  const topics = createClientTopics(settings, {
    url: changeUrl,
    onReplace: () => send({ type: 'replace' }),
    onFailure: send,
    onLost: (lost) => session?.miss([{ topics: lost, reason: 'unknown-cursor' }]),
  });
  const shared: Shared = {
    settings,
    keeper,
    delivery,
    topics,
    listeners,
    due: settings.load !== undefined && keeper.cursor === undefined ? [] : undefined,
    heardAt: undefined,
    send,
    isHub: () => settings.topics.length > 0 || settings.load !== undefined || state.heartbeat !== undefined,
    silence: () => longestSilence(state.heartbeat, SLACK),
  };

  return {
    get status() {
      return state.status;
    },
    get heardAt() {
      return shared.heardAt;
    },
    start(signal) {
      const close = (): void => send({ type: 'close' });
      signal?.addEventListener('abort', close);
      cleanUp.push(settings.environment.watch(heed), () => signal?.removeEventListener('abort', close));
      if (signal?.aborted === true) close();
      else if (state === INITIAL) session = openSession(shared, settings.longPoll === 'always');
    },
    send,
    hold,
    release,
    change: (wish) =>
      topics.change(wish, () => {
        // The pending answer would be for the old topics.
        if (session?.poll === true) send({ type: 'replace' });
      }),
  };

  /** A listener that is called for one input may cause another, which waits until the first is done. */
  function send(input: Input): void {
    inputs.push(input);
    if (stepping) return;
    stepping = true;
    for (let next = inputs.shift(); next !== undefined; next = inputs.shift()) {
      const step = transition(state, next, circumstances());
      ({ state } = step);
      for (const effect of step.effects) perform(effect);
    }
    stepping = false;
  }

  function circumstances(): Circumstances {
    const { retry: policy, longPoll, random, timers } = settings;
    // Only a hub understands a request for a whole answer.
    const knows = longPoll !== 'auto' || shared.isHub();
    return { policy, longPoll: knows ? longPoll : 'never', dice: random(), now: timers.now() };
  }

  function perform(effect: Effect): void {
    switch (effect.type) {
      case 'connect':
        session = openSession(shared, effect.poll, effect.after);
        return;
      case 'disconnect':
        session?.close();
        session = undefined;
        topics.current.left();
        return keeper.save();
      case 'test': {
        const limit = longestSilence(state.heartbeat, SLACK, 1) ?? settings.timeouts.read;
        return limit === undefined ? undefined : session?.expect(limit);
      }
      case 'wait':
        stopWaiting = settings.timers.setTimer(() => send({ type: 'elapsed' }), effect.delay);
        return;
      case 'stop-waiting':
        return stopWaiting?.();
      case 'status':
        return listeners.emit('status', effect.status);
      case 'report':
        return listeners.emit('error', effect.error, effect.next);
      case 'finish':
        return finish(effect.error);
    }
  }

  function finish(error: TidingsError | undefined): void {
    delivery.finish(error);
    topics.finish(error ?? new TidingsError('client/closed', 'The client is closed.'));
    for (const each of cleanUp.splice(0)) each();
    listeners.clear();
  }

  function heed(sign: Sign): void {
    if (sign === 'leave') return hold('leave');
    if (sign === 'hide') return settings.whileHidden === 'pause' ? hold('hide') : undefined;
    if (sign === 'show') release('hide');
    if (sign === 'return') release('leave');
    send({ type: 'wake' });
  }

  function hold(reason: Hold): void {
    holds.add(reason);
    send({ type: 'pause' });
  }

  function release(reason: Hold): void {
    if (holds.delete(reason) && holds.size === 0) send({ type: 'resume' });
  }

  /** The URL after a redirect within the origin: redirecting a POST would make it a GET. */
  function changeUrl(): string {
    const { redirected, url = '' } = session?.response ?? {};
    return redirected === true && url.startsWith(`${new URL(settings.url).origin}/`) ? url : settings.url;
  }
}
