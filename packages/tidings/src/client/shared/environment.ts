/** The parts of the browser that tabs need to share a stream. */
export interface SharedEnvironment {
  /** Opens a channel to all others of this name; a message isn't heard by its sender. Undefined if there are none. */
  channel(name: string, listener: (message: unknown) => void): Channel | undefined;
  /**
   * Asks for a lock that one tab has at a time; the browser takes it from a tab that is closed or crashes. `steal`: takes
   * it from whoever has it.
   *
   * @returns what gives it back, or asks for it no longer.
   */
  lock(name: string, steal: boolean, hooks: LockHooks): () => void;
  /** Calls `listener` when the page is about to be frozen, and when it is thawed. @returns what ends that. */
  watch(listener: (sign: 'freeze' | 'thaw') => void): () => void;
}

export interface Channel {
  post(message: unknown): void;
  close(): void;
}

export interface LockHooks {
  granted(): void;
  /** Somebody has stolen it. */
  lost(): void;
  /** The page may have no locks, and gets none. */
  denied(): void;
}

/** Milliseconds. */
const DENIED_WITHIN = 500;

interface Page {
  addEventListener(type: string, task: () => void): void;
  removeEventListener(type: string, task: () => void): void;
}

interface Locks {
  request(
    name: string,
    options: { readonly steal?: boolean; readonly signal?: AbortSignal },
    hold: () => Promise<void>,
  ): Promise<void>;
  query(): Promise<unknown>;
}

/**
 * Web Locks and broadcast channels. Browsers offer locks in secure contexts only, HTTPS and localhost, and deny them to
 * sandboxed frames and where the user allows no storage.
 */
export async function webSharedEnvironment(): Promise<SharedEnvironment | undefined> {
  const { navigator, document, BroadcastChannel } = globalThis as unknown as {
    readonly navigator?: { readonly locks?: Locks };
    readonly document?: Page;
    readonly BroadcastChannel?: new (name: string) => {
      onmessage: ((event: { readonly data: unknown }) => void) | null;
      postMessage(message: unknown): void;
      close(): void;
    };
  };
  const locks = navigator?.locks;
  if (locks === undefined || BroadcastChannel === undefined) return undefined;
  if (await isDenied(locks)) return undefined;
  try {
    new BroadcastChannel('tidings').close();
  } catch {
    // A `SecurityError`, as with the locks.
    return undefined;
  }
  return {
    channel(name, listener) {
      const channel = new BroadcastChannel(name);
      channel.onmessage = ({ data }) => listener(data);
      return { post: (message) => channel.postMessage(message), close: () => channel.close() };
    },
    lock: (name, steal, hooks) => requestLock(locks, name, steal, hooks),
    watch(listener) {
      const freeze = (): void => listener('freeze');
      const thaw = (): void => listener('thaw');
      document?.addEventListener('freeze', freeze);
      document?.addEventListener('resume', thaw);
      return () => {
        document?.removeEventListener('freeze', freeze);
        document?.removeEventListener('resume', thaw);
      };
    },
  };
}

/**
 * A page that may have no locks learns so at once: https://w3c.github.io/web-locks/#api-lock-manager-query. One that is
 * prerendered gets no answer before it is shown, and mustn't wait for it with its first request.
 */
function isDenied(locks: Locks): Promise<boolean> {
  const soon = new Promise<boolean>((resolve) => setTimeout(resolve, DENIED_WITHIN, false));
  return Promise.race([
    locks.query().then(
      () => false,
      () => true,
    ),
    soon,
  ]);
}

function requestLock(locks: Locks, name: string, steal: boolean, hooks: LockHooks): () => void {
  const controller = new AbortController();
  let release: (() => void) | undefined;
  let isOver = false;
  const hold = (): Promise<void> => {
    if (isOver) return Promise.resolve();
    return new Promise((resolve) => {
      release = resolve;
      hooks.granted();
    });
  };
  // A request that steals has no signal: https://w3c.github.io/web-locks/#api-lock-manager-request
  const options = steal ? { steal } : { signal: controller.signal };
  locks.request(name, options, hold).catch((error: unknown) => {
    if (isOver) return;
    isOver = true;
    // Stolen by another tab: "reject its released promise with an "AbortError" DOMException".
    if ((error as Error).name === 'AbortError') hooks.lost();
    else hooks.denied();
  });
  return () => {
    isOver = true;
    controller.abort();
    release?.();
  };
}
