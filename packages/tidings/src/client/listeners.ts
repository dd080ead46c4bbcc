import type { Gap } from '../protocol/control.ts';
import type { TidingsError } from '../protocol/tidings-error.ts';
import type { NextTry, ReceivedEvent } from './event-client.ts';
import type { Status } from './machine.ts';
import type { Opening } from './read-control.ts';

/** Whatever an app can listen to, and what its listeners are called with. */
export interface Signals {
  open: [opening: Opening];
  gap: [gaps: readonly Gap[]];
  error: [error: TidingsError, next: NextTry];
  status: [status: Status];
  comment: [text: string];
  [event: `event ${string}`]: [event: ReceivedEvent];
}

export interface Listeners {
  /** The same listener added twice is called twice. @returns a function that removes it, once. */
  add<Name extends keyof Signals>(name: Name, listener: (...args: Signals[Name]) => void): () => void;
  /** Calls the listeners that were there at the start and haven't been removed since, in the order they were added. */
  emit<Name extends keyof Signals>(name: Name, ...args: Signals[Name]): void;
  clear(): void;
}

/** A separate object for each addition. */
type Entry = readonly [listener: unknown];

export function createListeners(): Listeners {
  const channels = new Map<string, Set<Entry>>();
  return {
    add(name, listener) {
      const entries = channels.get(name) ?? new Set();
      channels.set(name, entries);
      const entry: Entry = [listener];
      entries.add(entry);
      return () => {
        if (entries.delete(entry) && entries.size === 0) channels.delete(name);
      };
    },
    emit(name, ...args) {
      const entries = channels.get(name);
      for (const entry of entries === undefined ? [] : [...entries]) {
        if (entries?.has(entry) === true) callListener(entry[0] as (...args: unknown[]) => unknown, ...args);
      }
    },
    clear() {
      for (const entries of channels.values()) entries.clear();
      channels.clear();
    },
  };
}

/**
 * Does with a listener's error what `EventTarget` does: the stream goes on, and the error becomes the runtime's
 * uncaught one. In a browser that is the `error` event of `window`; in Node it is `uncaughtException`, which ends
 * the process unless it is handled, as an error thrown in a listener of Node's own `EventTarget` does.
 */
export function callListener<Args extends readonly unknown[], T>(
  listener: (...args: Args) => T,
  ...args: Args
): T | undefined {
  try {
    return listener(...args);
  } catch (error) {
    const { reportError } = globalThis as { reportError?: (error: unknown) => void };
    if (reportError !== undefined) reportError(error);
    else {
      // Node has none.
      queueMicrotask(() => {
        throw error;
      });
    }
    return undefined;
  }
}
