import type { Connection } from './connection.ts';
import type { Store } from './store.ts';

/** The length of one wait in milliseconds; a missed notification is made up for after it. */
const WAIT = 1000;
/** Milliseconds before another try after a failure. */
const RETRY = 200;

export interface Following {
  stop(): Promise<void>;
}

/** Waits for any process's appends on a connection of its own, and calls `catchUp` then and once a second. */
export async function follow(
  store: Store,
  catchUp: () => Promise<void>,
  timeout: number,
): Promise<Following> {
  let connection: Connection | undefined = await store.connection.fork();
  let stopped = false;
  let wake: () => void = () => {};
  const ended = run();

  async function run(): Promise<void> {
    let seen = '$';
    while (!stopped) {
      try {
        connection ??= await store.connection.fork();
        const command = [
          'XREAD',
          'BLOCK',
          // Redis takes whole milliseconds, and 0 for ever.
          String(Math.max(1, Math.floor(Math.min(WAIT, timeout / 2)))),
          'STREAMS',
          store.key('wake'),
          seen,
        ];
        const reply = await connection.send(command);
        seen = idOf(reply) ?? (seen === '$' ? '0' : seen);
        if (!stopped) await catchUp();
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

/** The id of the newest entry, wherever the protocol's version puts it; undefined if nothing came. */
function idOf(reply: unknown): string | undefined {
  if (typeof reply === 'string') return /^\d+-\d+$/.test(reply) ? reply : undefined;
  if (typeof reply !== 'object' || reply === null) return undefined;
  const values: readonly unknown[] = reply instanceof Map ? [...reply.values()] : Object.values(reply);
  return values.map(idOf).findLast((id) => id !== undefined);
}
