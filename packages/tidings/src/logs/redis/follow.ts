import type { Connection } from './connection.ts';
import type { Store } from './store.ts';
import { type WakeUp, wakeUpsIn } from './wake-ups.ts';

/** The length of one wait in milliseconds; a missed notification is made up for after it. */
const WAIT = 1000;
/** Milliseconds before another try after a failure. */
const RETRY = 200;

/** Milliseconds after which the connection is replaced: a new one leads to the server that is now the master. */
const RENEW_EVERY = 15_000;

export interface FollowOptions {
  /** The epoch and the head that this process has: it needs to hear of nothing up to there. */
  readonly position: () => { readonly epoch: string; readonly head: number };
  /** Called with those that have come, oldest first; and with none after a while without. */
  readonly onWakeUps: (wakeUps: readonly WakeUp[]) => Promise<void>;
  /** Is given each new connection before it is used. */
  readonly onConnection: (connection: Connection) => Promise<void>;
  /** Milliseconds to wait for an answer. */
  readonly timeout: number;
}

/** A wake-up or a head, and the epoch that this process had then. */
interface Seen {
  readonly epoch: string;
  readonly head: number;
  readonly nth: number;
}

export interface Following {
  stop(): Promise<void>;
}

/** Waits for any process's appends on a connection of its own. */
export async function follow(
  store: Store,
  { position, onWakeUps, onConnection, timeout }: FollowOptions,
): Promise<Following> {
  let connection: Connection | undefined = await store.connection.fork();
  let renewAt = performance.now() + RENEW_EVERY;
  let stopped = false;
  let wake: () => void = () => {};
  /** The newest wake-up, or the head if that is newer. Undefined: the server is asked for all that it has. */
  let seen: Seen | undefined = atHead();
  const ended = run();

  async function run(): Promise<void> {
    while (!stopped) {
      try {
        if (connection === undefined || performance.now() > renewAt) await renew();
        const found = await next();
        if (!stopped) await onWakeUps(found);
      } catch {
        // Publishers and readers learn of it from their own commands. A connection that got stuck is left behind.
        await connection?.close();
        connection = undefined;
        await rest();
      }
    }
    // One that was under way when it was stopped.
    await connection?.close();
  }

  async function renew(): Promise<void> {
    const before = connection;
    connection = await store.connection.fork();
    renewAt = performance.now() + RENEW_EVERY;
    await before?.close();
    await onConnection(connection);
    // Another server may have begun another epoch at an older head.
    seen = undefined;
  }

  function atHead(): Seen {
    // Not spread: its properties may be getters of a class.
    const { epoch, head } = position();
    return { epoch, head, nth: 0 };
  }

  /** @returns the wake-ups after those it has seen, and after the head; none if none comes in time. */
  async function next(): Promise<readonly WakeUp[]> {
    const { epoch, head } = position();
    if (seen !== undefined && (epoch !== seen.epoch || head > seen.head)) seen = atHead();
    // Redis takes whole milliseconds, and 0 for ever.
    const block = String(Math.max(1, Math.floor(Math.min(WAIT, timeout / 2))));
    const after = seen === undefined ? '0-0' : `${seen.head}-${seen.nth}`;
    const reply = await connection?.send(['XREAD', 'BLOCK', block, 'STREAMS', store.key('wake'), after]);
    const found = wakeUpsIn(reply);
    const newest = found.at(-1);
    if (newest !== undefined) seen = { epoch, head: newest.head, nth: newest.nth };
    // One that was ahead of the log was put there by somebody else, and the next append has begun the stream anew.
    else seen = seen === undefined ? { epoch, head, nth: 0 } : seen.head > head ? undefined : seen;
    return found;
  }

  function rest(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, RETRY);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
      if (stopped) wake();
    });
  }

  return {
    async stop() {
      stopped = true;
      wake();
      await connection?.close();
      await ended;
    },
  };
}
