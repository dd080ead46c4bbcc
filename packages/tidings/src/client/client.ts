import { createCursorKeeper } from './cursor-keeper.ts';
import { createDelivery } from './delivery.ts';
import type { EventClient } from './event-client.ts';
import { shareLater } from './lazy-sharing.ts';
import { createLife } from './life.ts';
import { createListeners } from './listeners.ts';
import { type ClientOptions, resolveSettings } from './options.ts';
import type { Wish } from './topics.ts';

/** Older runtimes don't have it, and nobody can ask for it there. */
const asyncDispose: typeof Symbol.asyncDispose = Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose');

/** @throws {TidingsError} `client/invalid-option` */
export function connect(url: string | URL, options: ClientOptions = {}): EventClient {
  const resolved = resolveSettings(url, options);
  const sharing = options.shared ? shareLater(resolved, options) : undefined;
  const settings = sharing === undefined ? resolved : { ...resolved, fetch: sharing.fetch };
  const storage = options.persist === undefined ? undefined : settings.environment.storage;
  const keeper = createCursorKeeper(options.cursor, options.persist, storage);
  const delivery = createDelivery();
  const listeners = createListeners();
  const life = createLife(settings, keeper, delivery, listeners);
  const change = (wish: Wish): Promise<string> => sharing?.change(wish, life) ?? life.change(wish);
  const close = (): void => life.send({ type: 'close' });
  if (sharing !== undefined) listeners.statuses.add(sharing.heed);
  life.start(options.signal);
  return {
    get status() {
      return life.status;
    },
    get cursor() {
      return keeper.cursor;
    },
    on: delivery.on,
    onOpen: listeners.opened.add,
    onGap: listeners.gaps.add,
    onError: listeners.errors.add,
    onStatus: listeners.statuses.add,
    onComment: listeners.comments.add,
    events: () => delivery.iterate(),
    subscribe: (...topics) => change({ add: topics, drop: [] }),
    unsubscribe: (...topics) => change({ add: [], drop: topics }),
    pause: () => life.hold('app'),
    resume: () => life.release('app'),
    reconnect: () => life.send({ type: 'reconnect' }),
    close,
    [Symbol.asyncIterator]: () => delivery.iterate(close),
    [asyncDispose]: async () => close(),
  };
}
