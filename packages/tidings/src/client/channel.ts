/** A list of listeners. */
export interface Channel<Args extends readonly unknown[]> {
  readonly size: number;
  /** The same listener added twice is called twice. @returns what removes it, once. */
  add(listener: (...args: Args) => void): () => void;
  /** Calls those that were there when it began and have not been removed since, in the order they were added. */
  emit(...args: Args): void;
  clear(): void;
}

export function createChannel<Args extends readonly unknown[]>(): Channel<Args> {
  const entries = new Set<{ readonly listener: (...args: Args) => void }>();
  return {
    get size() {
      return entries.size;
    },
    add(listener) {
      const entry = { listener };
      entries.add(entry);
      return () => void entries.delete(entry);
    },
    emit(...args) {
      for (const entry of [...entries]) {
        if (!entries.has(entry)) continue;
        try {
          entry.listener(...args);
        } catch (error) {
          reportUncaught(error);
        }
      }
    },
    clear: () => entries.clear(),
  };
}

/**
 * Does with a listener's error what `EventTarget` does: the stream goes on, and the error becomes the runtime's
 * uncaught one. In a browser that is the `error` event of `window`; in Node it is `uncaughtException`, which ends
 * the process unless it is handled, as an error thrown in a listener of Node's own `EventTarget` does.
 */
export function reportUncaught(error: unknown, runtime: Runtime = globalThis): void {
  if (typeof runtime.reportError === 'function') runtime.reportError(error);
  else {
    runtime.queueMicrotask(() => {
      throw error;
    });
  }
}

interface Runtime {
  /** Node has none. */
  readonly reportError?: (error: unknown) => void;
  readonly queueMicrotask: (task: () => void) => void;
}
