import type { CursorStorage, Environment, Sign } from '../../src/client/index.ts';

/** A runtime whose signs a test gives by hand. */
export interface ManualEnvironment extends Environment {
  give(sign: Sign): void;
  /** How many clients listen. */
  readonly watchers: number;
}

export function createManualEnvironment(storage?: CursorStorage): ManualEnvironment {
  const listeners = new Set<(sign: Sign) => void>();
  return {
    storage,
    watch(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    give(sign) {
      for (const listener of listeners) listener(sign);
    },
    get watchers() {
      return listeners.size;
    },
  };
}
