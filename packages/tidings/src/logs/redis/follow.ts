import type { Connection } from './connection.ts';
import type { Store } from './store.ts';

/** The length of one wait in milliseconds; a missed notification is made up for after it. */
const WAIT = 1000;
/** Milliseconds before another try after a failure. */
const RETRY = 200;

/** Milliseconds after which the connection is replaced: a new one leads to the server that is now the master. */
const RENEW_EVERY = 15_000;

/** What a notification says of the log: its epoch, and the seq of its newest event. */
export interface Wake {
  readonly epoch: string;
  readonly head: number;
}

export interface FollowOptions {
  /** Reads what is new. `wake`: as far as is known without asking. */
  readonly catchUp: (wake: Wake | undefined) => Promise<void>;
  /** Is given each new connection before it is used. */
  readonly onConnection: (connection: Connection) => Promise<void>;
  /** Milliseconds to wait for an answer. */
  readonly timeout: number;
}

export interface Following {
  stop(): Promise<void>;
}

/** Waits for any process's appends on a connection of its own, and calls `catchUp` then and once a second. */
export async function follow(
  store: Store,
  { catchUp, onConnection, timeout }: FollowOptions,
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
        const notification = await waitAfter(seen);
        seen = notification?.id ?? (seen === '$' ? '0' : seen);
        if (!stopped) await catchUp(notification?.wake);
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
    return notificationOf(await connection?.send(['XREAD', 'BLOCK', block, 'STREAMS', key, seen]));
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
  /** Undefined when an epoch begins: then only reading can tell. */
  readonly wake: Wake | undefined;
}

/** The newest entry, wherever the protocol's version puts it; undefined if nothing came. */
function notificationOf(reply: unknown): Notification | undefined {
  const texts = textsOf(reply);
  const at = texts.findLastIndex((text) => /^\d+-\d+$/.test(text));
  const [id, ...fields] = at === -1 ? [] : texts.slice(at);
  if (id === undefined) return undefined;
  const fieldOf = (name: string): string | undefined => fields[fields.indexOf(name) + 1];
  const [epoch, head] = [fieldOf('epoch'), Number(fieldOf('head'))];
  const isWhole = fields.includes('epoch') && fields.includes('head') && epoch !== undefined;
  return { id, wake: isWhole ? { epoch, head } : undefined };
}

function textsOf(reply: unknown): readonly string[] {
  if (typeof reply === 'string') return [reply];
  if (typeof reply !== 'object' || reply === null) return [];
  const values: readonly unknown[] = reply instanceof Map ? [...reply.values()] : Object.values(reply);
  return values.flatMap(textsOf);
}
