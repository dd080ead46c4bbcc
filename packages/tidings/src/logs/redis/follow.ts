import type { Connection } from './connection.ts';
import type { Store } from './store.ts';

/** The length of one wait in milliseconds; a missed notification is made up for after it. */
const WAIT = 1000;
/** Milliseconds before another try after a failure. */
const RETRY = 200;

/** Milliseconds after which the connection is replaced: a new one leads to the server that is now the master. */
const RENEW_EVERY = 15_000;

/** The news that an append brings. */
export interface WakeUp {
  readonly head: number;
  readonly epoch: string;
  /** The process that appended. */
  readonly by: string;
}

export interface FollowOptions {
  /** Called after each append, with the newest if that is known, and after a while without. */
  readonly onWakeUp: (newest: WakeUp | undefined) => Promise<void>;
  /** Is given each new connection before it is used. */
  readonly onConnection: (connection: Connection) => Promise<void>;
  /** Milliseconds to wait for an answer. */
  readonly timeout: number;
}

export interface Following {
  stop(): Promise<void>;
}

/** Waits for any process's appends on a connection of its own. */
export async function follow(
  store: Store,
  { onWakeUp, onConnection, timeout }: FollowOptions,
): Promise<Following> {
  let connection: Connection | undefined = await store.connection.fork();
  let renewAt = performance.now() + RENEW_EVERY;
  let stopped = false;
  let wake: () => void = () => {};
  const ended = run();

  async function run(): Promise<void> {
    let seen = '$';
    while (!stopped) {
      try {
        if (connection === undefined || performance.now() > renewAt) {
          await renew();
          // Another server counts by its own clock.
          seen = '0';
        }
        const found = await waitAfter(seen);
        seen = found?.id ?? (seen === '$' ? '0' : seen);
        if (!stopped) await onWakeUp(found?.newest);
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
  }

  /** @returns the newest notification after that one, if one comes in time. */
  async function waitAfter(seen: string): Promise<Notification | undefined> {
    // Redis takes whole milliseconds, and 0 for ever.
    const block = String(Math.max(1, Math.floor(Math.min(WAIT, timeout / 2))));
    const key = store.key('wake');
    return newestIn(await connection?.send(['XREAD', 'BLOCK', block, 'STREAMS', key, seen]));
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

interface Notification {
  readonly id: string;
  readonly newest: WakeUp | undefined;
}

/** The newest entry, wherever the protocol's version puts it; undefined if nothing came. */
function newestIn(reply: unknown): Notification | undefined {
  if (typeof reply !== 'object' || reply === null) return undefined;
  const values: readonly unknown[] = reply instanceof Map ? [...reply.values()] : Object.values(reply);
  const [id, fields] = values;
  if (typeof id === 'string' && /^\d+-\d+$/.test(id)) return { id, newest: toWakeUp(fields) };
  return values.map(newestIn).findLast((found) => found !== undefined);
}

function toWakeUp(fields: unknown): WakeUp | undefined {
  if (!Array.isArray(fields)) return undefined;
  const valueOf = (name: string): unknown => fields[fields.indexOf(name) + 1];
  const [head, epoch, by] = ['head', 'epoch', 'by'].map(valueOf);
  return fields.includes('epoch') ? { head: Number(head), epoch: String(epoch), by: String(by) } : undefined;
}
