import type { Database, Session } from './database.ts';
import { Listener, NOTIFY } from './listener.ts';

/** Milliseconds between notifications of one process: commits that notify wait for one another. */
const NOTIFY_EVERY = 3;
/** Milliseconds between looks at the log while notifications come; one that was lost is made up for. */
const LOOK_EVERY = 1000;
/** Milliseconds before another look after a failure. */
const RETRY = 200;

export interface WakeUpOptions {
  readonly database: Database;
  readonly channel: string;
  /** This process. */
  readonly node: string;
  /** Where to listen: an URL of its own; undefined: the database's; false: nowhere. */
  readonly listen: string | false | undefined;
  /** Milliseconds between looks at the log without notifications. */
  readonly pollInterval: number;
  readonly catchUp: () => Promise<void>;
  /** The seq of the newest event known. */
  readonly head: () => number;
  /** Is given each new session, before its notifications count. */
  readonly onSession: (session: Session) => Promise<void>;
}

export interface WakeUps {
  /**
   * Appends. It is given the channel to notify in its own transaction; null if that was just notified: then it is again,
   * soon after the commit.
   */
  notifying<T>(append: (channel: string | null) => Promise<T>): Promise<T>;
  stop(): Promise<void>;
}

/**
 * Calls `catchUp` when any process has appended: after a notification, and now and then without one. Where notifications
 * don't arrive, as through PgBouncer in transaction mode, it looks often.
 */
export function startWakeUps(options: WakeUpOptions): WakeUps {
  const { database, channel, node, listen, pollInterval, catchUp, head, onSession } = options;
  const pause = createPause();
  const listener =
    listen === false
      ? undefined
      : new Listener({
          database,
          channel,
          node,
          url: listen,
          onSession,
          onNotification: () =>
            void catchUp().catch(() => {
              // It is tried again with the next one, or the next look.
            }),
        });
  let notifiedAt = -Infinity;
  let trailing: NodeJS.Timeout | undefined;
  let stopped = false;
  const ended = run();

  async function run(): Promise<void> {
    while (!stopped) {
      listener?.tend();
      const count = listener?.count;
      const isNotified = listener?.isProven === true;
      // A session that was lost is to come back soon, however seldom the log is to be looked at.
      await pause.rest(
        isNotified ? LOOK_EVERY : Math.min(pollInterval, listener === undefined ? Infinity : LOOK_EVERY),
      );
      if (stopped) return;
      const before = head();
      try {
        await catchUp();
        listener?.noteMissed(head() > before && listener.count === count);
      } catch {
        // Publishers and readers learn of it from their own statements.
        await pause.rest(RETRY);
      }
    }
  }

  function notifyLater(): void {
    if (stopped) return;
    const delay = Math.max(0, notifiedAt + NOTIFY_EVERY - performance.now());
    trailing ??= setTimeout(() => {
      trailing = undefined;
      notifiedAt = performance.now();
      void database.run(NOTIFY, [channel, node]).catch(() => {
        // Others look now and then.
      });
    }, delay);
  }

  return {
    async notifying(append) {
      if (performance.now() - notifiedAt >= NOTIFY_EVERY) {
        notifiedAt = performance.now();
        return append(channel);
      }
      try {
        return await append(null);
      } finally {
        // Before the commit, others would find nothing. One without an answer may have been committed, too.
        notifyLater();
      }
    },
    async stop() {
      stopped = true;
      clearTimeout(trailing);
      pause.end();
      await Promise.all([ended, listener?.stop()]);
    },
  };
}

export interface Pause {
  /** Resolves after so many milliseconds, or at `wake` or `end`. */
  rest(milliseconds: number): Promise<void>;
  wake(): void;
  /** Ends this rest and all later ones. */
  end(): void;
}

export function createPause(): Pause {
  let isEnded = false;
  let wake: () => void = () => {};
  return {
    rest: (milliseconds) =>
      new Promise((resolve) => {
        const timer = setTimeout(resolve, isEnded ? 0 : milliseconds);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      }),
    wake: () => wake(),
    end() {
      isEnded = true;
      wake();
    },
  };
}
