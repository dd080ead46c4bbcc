import type { Gap } from '../protocol/control.ts';
import type { TidingsError } from '../protocol/tidings-error.ts';
import type { NextTry, ReceivedEvent } from './event-client.ts';
import type { Status } from './machine.ts';
import type { Opening } from './opening.ts';

/** The notices that an app can listen to besides events, with the arguments of their listeners. */
export type Signals = {
  open: [opening: Opening];
  gap: [gaps: readonly Gap[]];
  error: [error: TidingsError, next: NextTry];
  status: [status: Status];
  comment: [text: string];
};

/** By the type of the event. */
export type EventSignals = Record<string, [event: ReceivedEvent]>;

/** Listeners by name. */
export interface Listeners<Named extends Record<string, unknown[]>> {
  /** The same listener added twice is called twice. @returns a function that removes it, once. */
  add<Name extends keyof Named & string>(name: Name, listener: (...args: Named[Name]) => void): () => void;
  /** Calls the listeners that were there at the start and haven't been removed since, in the order they were added. */
  emit<Name extends keyof Named & string>(name: Name, ...args: Named[Name]): void;
  clear(): void;
}

/** A separate object for each addition. */
interface Entry {
  readonly listener: unknown;
}

export function createListeners<Named extends Record<string, unknown[]>>(): Listeners<Named> {
  const channels = new Map<string, Set<Entry>>();
  return {
    add(name, listener) {
      const entries = channels.get(name) ?? new Set();
      channels.set(name, entries);
      const entry: Entry = { listener };
      entries.add(entry);
      return () => {
        if (entries.delete(entry) && entries.size === 0) channels.delete(name);
      };
    },
    emit(name, ...args) {
      const entries = channels.get(name);
      for (const entry of entries === undefined ? [] : [...entries]) {
        if (entries?.has(entry) !== true) continue;
        try {
          (entry.listener as (...args: unknown[]) => void)(...args);
        } catch (error) {
          reportUncaught(error);
        }
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
