/** A change in the client's surroundings. */
export type Sign =
  /** The network or the machine is back: an open connection may be dead, and a retry may succeed. */
  | 'wake'
  /** The page or app is out of sight, or in sight again. */
  | 'hide'
  | 'show'
  /** The page is being left, or came back from the back/forward cache. */
  | 'leave'
  | 'return';

/** The part of the web's `Storage` that is used here. */
export interface CursorStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** Everything the client knows of the runtime around it, besides `fetch` and timers. */
export interface Environment {
  /** The base of relative URLs. */
  readonly base?: string | undefined;
  /** Where `persist` keeps the cursor. */
  readonly storage?: CursorStorage | undefined;
  /**
   * Calls `listener` with each sign; at once with `hide` if the page is hidden already. @returns a function that stops
   * it.
   */
  watch(listener: (sign: Sign) => void): () => void;
}

interface Target {
  addEventListener?(type: string, task: () => void): void;
  removeEventListener?(type: string, task: () => void): void;
}

interface Page extends Target {
  readonly baseURI?: string;
  readonly visibilityState?: string;
}

/** For browsers and workers. Other runtimes give no signs. */
export function webEnvironment(): Environment {
  const scope = globalThis as Target & { document?: Page; location?: { href: string } };
  const page = scope.document;
  return {
    base: page?.baseURI ?? scope.location?.href,
    get storage() {
      return sessionStorageIfAny();
    },
    watch(listener) {
      const undo: (() => void)[] = [];
      const on = (target: Target | undefined, type: string, task: () => void): void => {
        target?.addEventListener?.(type, task);
        undo.push(() => target?.removeEventListener?.(type, task));
      };
      const look = (): void => listener(page?.visibilityState === 'hidden' ? 'hide' : 'show');
      on(scope, 'online', () => listener('wake'));
      on(page, 'resume', () => listener('wake'));
      on(page, 'visibilitychange', look);
      // An open stream keeps a page out of the back/forward cache, and a stream that the browser cuts on leaving would
      // look like a failure.
      on(scope, 'pagehide', () => listener('leave'));
      on(scope, 'pageshow', () => listener('return'));
      if (page?.visibilityState === 'hidden') listener('hide');
      return () => {
        for (const each of undo) each();
      };
    },
  };
}

function sessionStorageIfAny(): CursorStorage | undefined {
  try {
    return (globalThis as { sessionStorage?: CursorStorage }).sessionStorage;
  } catch {
    // A sandboxed frame, or a user who allows no storage: https://html.spec.whatwg.org/multipage/webstorage.html
    return undefined;
  }
}

/** The part of React Native's `AppState` that the client uses. */
export interface AppStateLike {
  readonly currentState?: string | null;
  addEventListener(type: 'change', listener: (state: string) => void): { remove(): void };
}

/** A phone app, which is shown and hidden as a whole. `storage` is for `persist`. */
export function appEnvironment(appState: AppStateLike, storage?: CursorStorage): Environment {
  return {
    storage,
    watch(listener) {
      // `inactive` is temporary, such as during an incoming call.
      const tell = (state: string | null | undefined): void => {
        if (state === 'background') listener('hide');
        if (state === 'active') listener('show');
      };
      if (appState.currentState === 'background') listener('hide');
      const subscription = appState.addEventListener('change', tell);
      return () => subscription.remove();
    },
  };
}
