import type { AnyClient } from './clients.ts';
import { type Reply, inTime } from './replies.ts';

/** A connection to Redis, made with any client. */
export interface Connection {
  /** Whether the client needs a key to know where a command goes. */
  readonly isCluster: boolean;
  /**
   * @param within Milliseconds to wait for the answer, if that is less than usual.
   * @throws {TidingsError} `log/unavailable` if there is no answer in time; the client's error if Redis refuses it.
   */
  send(command: readonly string[], within?: number): Promise<Reply>;
  /** Another connection, for commands that block. */
  fork(): Promise<Connection>;
  /** Goes on with a new client: the old one may lead to a server that is no longer the master. */
  renew(): void;
  /** Ends it, but not a client of the app's own. */
  close(): Promise<void>;
}

/**
 * Uses the client until it gets stuck: no answer comes, or its server has become a replica. From then on it uses
 * duplicates. A stuck client that is left behind takes what it has queued along.
 */
export function createConnection(first: AnyClient, timeout: number): Connection {
  let current: AnyClient | undefined = first;
  let opening: Promise<AnyClient> | undefined;
  let isClosed = false;

  async function open(): Promise<AnyClient> {
    const client = await first.duplicate();
    if (isClosed) await client.close();
    else current = client;
    return client;
  }

  function leave(client: AnyClient | undefined): void {
    if (client === undefined || current !== client) return;
    current = undefined;
    void client.close();
  }

  return {
    isCluster: first.isCluster,
    send(command, within = timeout) {
      let used = current;
      let isGivenUp = false;
      const sent = async (): Promise<unknown> => {
        used ??= await (opening ??= open().finally(() => {
          opening = undefined;
        }));
        if (isGivenUp) throw new Error('Nobody waits for it any more.');
        return used.send(command);
      };
      const onStuck = (): void => {
        isGivenUp = true;
        leave(used);
      };
      return inTime(sent(), { timeout: Math.min(within, timeout), inAll: timeout, onStuck });
    },
    async fork() {
      return createConnection(await first.duplicate(), timeout);
    },
    renew: () => leave(current),
    async close() {
      isClosed = true;
      await current?.close();
    },
  };
}
