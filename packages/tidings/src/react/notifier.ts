import { reportUncaught } from '../client/listeners.ts';

/** A value that changes, in the form that `useSyncExternalStore` takes. */
export interface Source<T> {
  /** The same object until something changes. */
  readonly get: () => T;
  /** @returns a function that removes the listener. */
  readonly subscribe: (listener: () => void) => () => void;
}

/** Something with listeners that have to learn of a change. */
export interface Audience {
  readonly listeners: ReadonlySet<() => void>;
}

/**
 * Gathers changes and tells listeners at the end of the current job: a chunk of a thousand events renders once, and by
 * then every value has taken all of them.
 */
export interface Notifier {
  changed(audience: Audience): void;
}

export function createNotifier(): Notifier {
  const waiting = new Set<Audience>();

  function flush(): void {
    const audiences = [...waiting];
    waiting.clear();
    for (const listener of audiences.flatMap(({ listeners }) => [...listeners])) {
      try {
        listener();
      } catch (error) {
        // React throws for a component that renders without end. The others are to hear of the change all the same.
        reportUncaught(error);
      }
    }
  }

  return {
    changed(audience) {
      waiting.add(audience);
      if (waiting.size === 1) queueMicrotask(flush);
    },
  };
}
