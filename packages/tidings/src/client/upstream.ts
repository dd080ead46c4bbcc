import { LABEL, RESERVED_PREFIX, WELCOME } from '../protocol/control.ts';
import type { DecodedEvent } from '../protocol/decode.ts';
import { matcherKey } from '../protocol/matcher.ts';
import { readNotice } from '../protocol/notice.ts';
import type { CursorKeeper } from './cursor-keeper.ts';
import { createDelivery, type Delivery } from './delivery.ts';
import { createListeners, type Signals } from './listeners.ts';
import { createDriver } from './machine-driver.ts';
import type { Settings } from './settings.ts';
import type { OpenUpstream } from './shared/index.ts';

/**
 * The one connection for all tabs: the client's own machinery, with the tabs in place of listeners. It keeps no cursor
 * back for a slow one, since every tab has its own.
 */
export function upstreamOpener(settings: Settings): OpenUpstream {
  return (topics, at, hooks) => {
    /** Undefined: nothing of the connection has been labelled yet. */
    let label: readonly string[] | undefined;
    let cursor = at;
    let problem: string | undefined;
    /** An event was handed over since the last flush. */
    let pending = false;
    /** There is a connection that can bring something. */
    let alive = false;

    const keeper: CursorKeeper = {
      get cursor() {
        return cursor;
      },
      move: (to) => (cursor = to),
      save() {
        // It is saved at the end of a connection, too, which is no sign of life.
        if (!alive && !pending) return;
        pending = false;
        hooks.flush(cursor);
      },
    };
    const listeners = createListeners<Signals>();
    const delivery: Delivery = { ...createDelivery(), give };
    listeners.add('gap', hooks.gap);
    listeners.add('error', ({ message }) => (problem = message));
    listeners.add('status', (status) => {
      alive = status === 'open' || status === 'polling';
      // The error comes after the status.
      if (status === 'waiting' || status === 'paused') queueMicrotask(() => hooks.down(problem));
      else if (status === 'failed' || status === 'closed') queueMicrotask(() => hooks.failed(problem));
      else problem = undefined;
    });
    const driver = createDriver({ ...settings, topics }, keeper, delivery, listeners);
    driver.start(undefined);
    return {
      change: (add, drop) => driver.change({ add, drop }),
      close: () => driver.send({ type: 'close' }),
    };

    function give({ type, data, id }: DecodedEvent): undefined {
      if (type === WELCOME) {
        label = undefined;
        const { audience, resumed } = readNotice(data);
        // Otherwise it has lost something, or begins with a snapshot.
        hooks.opened(audience, resumed ? id : undefined);
      } else if (type === LABEL) {
        label = readNotice(data).topics.map(matcherKey);
      } else if (!type.startsWith(RESERVED_PREFIX) && label !== undefined) {
        // The values of states have no cursor of their own. Each tab has read those that it needs.
        const isEntry = id !== cursor;
        pending = true;
        if (isEntry) hooks.event({ topics: label, type, data, id });
        else if (label.length === 0) hooks.event({ topics: undefined, type, data, id: '' });
      }
      return undefined;
    }
  };
}
