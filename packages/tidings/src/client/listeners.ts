import type { Gap } from '../protocol/control.ts';
import type { TidingsError } from '../protocol/tidings-error.ts';
import type { NextTry, ReceivedEvent } from './event-client.ts';
import type { Status } from './machine.ts';
import type { Opening } from './read-control.ts';

/** What an app can listen to besides events, and what its listeners are called with. */
export type Signals = {
  open: [opening: Opening];
  gap: [gaps: readonly Gap[]];
  error: [error: TidingsError, next: NextTry];
  status: [status: Status];
  comment: [text: string];
};

/** The types of events are not known here. */
export type EventSignals = Record<string, [event: ReceivedEvent]>;

/** Listeners by name. */
export interface Listeners<Named extends Record<string, unknown[]>> {
  /** The same listener added twice is called twice. @returns what removes it, once. */
  add<Name extends keyof Named & string>(name: Name, listener: (...args: Named[Name]) => void): () => void;
  /** Calls those that were there when it began and have not been removed since, in the order they were added. */
  emit<Name extends keyof Named & string>(name: Name, ...args: Named[Name]): void;
  clear(): void;
}

/** An object of its own for each addition; without a listener once it is removed. */
interface Entry {
  listener: unknown;
}

export function createListeners<Named extends Record<string, unknown[]>>(): Listeners<Named> {
  /** The lists are replaced rather than changed, because one may be being gone through. */
  const lists = new Map<string, readonly Entry[]>();

  function remove(name: string, entry: Entry): void {
    const others = lists.get(name)?.filter((other) => other !== entry) ?? [];
    if (others.length === 0) lists.delete(name);
    else lists.set(name, others);
    entry.listener = undefined;
  }

  return {
    add(name, listener) {
      const entry: Entry = { listener };
      lists.set(name, [...(lists.get(name) ?? []), entry]);
      return () => remove(name, entry);
    },
    emit(name, ...args) {
      for (const entry of lists.get(name) ?? []) {
        try {
          (entry.listener as ((...args: unknown[]) => void) | undefined)?.(...args);
        } catch (error) {
          reportUncaught(error);
        }
      }
    },
    clear() {
      for (const [name, entries] of lists) for (const entry of entries) remove(name, entry);
    },
  };
}

/**
 * Does with a listener's error what `EventTarget` does: the stream goes on, and the error becomes the runtime's
 * uncaught one. In a browser that is the `error` event of `window`; in Node it is `uncaughtException`, which ends
 * the process unless it is handled, as an error thrown in a listener of Node's own `EventTarget` does.
 */
export function reportUncaught(error: unknown): void {
  const { reportError } = globalThis as { reportError?: (error: unknown) => void };
  if (reportError !== undefined) reportError(error);
  else {
    // Node has none.
    queueMicrotask(() => {
      throw error;
    });
  }
}
