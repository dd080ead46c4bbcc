/** Listeners, and the function that calls them. */
export interface Signal<Args extends unknown[]> {
  add(listener: (...args: Args) => void): void;
  tell(...args: Args): void;
}

export function createSignal<Args extends unknown[]>(): Signal<Args> {
  const listeners = new Set<(...args: Args) => void>();
  return {
    add: (listener) => void listeners.add(listener),
    tell(...args) {
      for (const listener of listeners) listener(...args);
    },
  };
}
