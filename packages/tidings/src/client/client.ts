import { createCursorKeeper } from './cursor-keeper.ts';
import { createDelivery } from './delivery.ts';
import type { EventClient } from './event-client.ts';
import { shareLater } from './lazy-sharing.ts';
import { createDriver } from './machine-driver.ts';
import { createListeners, type Signals } from './listeners.ts';
import type { ClientOptions } from './options.ts';
import { resolveSettings } from './settings.ts';

/** Older runtimes don't have it, and code there can't ask for it. */
const asyncDispose: typeof Symbol.asyncDispose = Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose');

/** @throws {TidingsError} `client/invalid-option` */
export function connect(url: string | URL, options: ClientOptions = {}): EventClient {
  const resolved = resolveSettings(url, options);
  const sharing = options.shared ? shareLater(resolved, options) : undefined;
  const settings = sharing === undefined ? resolved : { ...resolved, fetch: sharing.fetch };
  const storage = options.persist === undefined ? undefined : settings.environment.storage;
  const keeper = createCursorKeeper(options.cursor, options.persist, storage);
  const listeners = createListeners<Signals>();
  const delivery = createDelivery();
  const driver = createDriver(settings, keeper, delivery, listeners);
  const close = (): void => driver.send({ type: 'close' });
  if (sharing !== undefined) listeners.add('status', sharing.heed);
  driver.start(options.signal);
  return {
    get status() {
      return driver.status;
    },
    get cursor() {
      return keeper.cursor;
    },
    get heardAt() {
      return driver.heardAt;
    },
    on: delivery.on,
    onOpen: (listener) => listeners.add('open', listener),
    onGap: (listener) => listeners.add('gap', listener),
    onError: (listener) => listeners.add('error', listener),
    onStatus: (listener) => listeners.add('status', listener),
    onComment: (listener) => listeners.add('comment', listener),
    events: () => delivery.iterate(),
    subscribe: (...topics) => driver.change({ add: topics, drop: [] }),
    unsubscribe: (...topics) => driver.change({ add: [], drop: topics }),
    pause: () => driver.hold('app'),
    resume: () => driver.release('app'),
    reconnect: () => driver.send({ type: 'reconnect' }),
    close,
    [Symbol.asyncIterator]: () => delivery.iterate(close),
    [asyncDispose]: async () => close(),
  };
}
