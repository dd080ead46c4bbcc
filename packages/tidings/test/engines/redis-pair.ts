import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { Redis as Ioredis } from 'ioredis';
import { untilAsync } from '../http/deadline.ts';
import { type RedisServer, startRedis } from './redis.ts';

/** A Redis and its replica, behind one address that leads to whichever is the master, as Sentinel's clients find it. */
export interface RedisPair {
  readonly url: string;
  /** Kills the master and starts it again, on what it had on the disk. */
  restart(): Promise<void>;
  /**
   * Kills the master; the replica takes over, and the old master becomes its replica. While `meanwhile` runs, before that,
   * the replica gets nothing.
   */
  failOver(meanwhile?: () => Promise<void>): Promise<void>;
  /** Lets nothing through for so many milliseconds, while connections stay open. */
  partition(milliseconds: number): Promise<void>;
  stop(): Promise<void>;
}

export async function startRedisPair(): Promise<RedisPair> {
  const durable = ['--appendonly', 'yes', '--appendfsync', 'always', '--repl-diskless-sync-delay', '0'];
  let [master, replica] = [await startRedis(...durable), await startRedis(...durable)];
  const sockets = new Set<net.Socket>();
  let isCut = false;

  const front = net.createServer((socket) => {
    const behind = net.connect(master.port, '127.0.0.1');
    for (const [from, to] of [
      [socket, behind],
      [behind, socket],
    ] as const) {
      sockets.add(from);
      if (isCut) from.pause();
      from.on('data', (bytes) => void to.write(bytes));
      from.on('error', () => {});
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  front.listen(0, '127.0.0.1');
  await once(front, 'listening');

  async function command(server: RedisServer, ...args: readonly [string, ...string[]]): Promise<unknown> {
    const client = new Ioredis(server.url, { maxRetriesPerRequest: 3 });
    client.on('error', () => {});
    try {
      const [name, ...rest] = args;
      return await client.call(name, ...rest);
    } finally {
      client.disconnect();
    }
  }

  async function follow(): Promise<void> {
    await command(replica, 'REPLICAOF', '127.0.0.1', String(master.port));
    await untilAsync('the replica follows', async () =>
      String(await command(replica, 'INFO', 'replication')).includes('master_link_status:up'),
    );
  }

  function dropAll(): void {
    for (const socket of sockets) socket.destroy();
  }

  await follow();
  return {
    url: `redis://127.0.0.1:${(front.address() as AddressInfo).port}`,
    async restart() {
      await master.kill();
      await master.start();
      await untilAsync('the replica follows again', async () =>
        String(await command(replica, 'INFO', 'replication')).includes('master_link_status:up'),
      );
    },
    async failOver(meanwhile) {
      if (meanwhile !== undefined) {
        await command(replica, 'REPLICAOF', 'NO', 'ONE');
        await meanwhile();
      }
      await master.kill();
      await command(replica, 'REPLICAOF', 'NO', 'ONE');
      [master, replica] = [replica, master];
      dropAll();
      await replica.start();
      await follow();
    },
    async partition(milliseconds) {
      isCut = true;
      for (const socket of sockets) socket.pause();
      await new Promise((resolve) => void setTimeout(resolve, milliseconds));
      isCut = false;
      for (const socket of sockets) socket.resume();
    },
    async stop() {
      dropAll();
      front.close();
      await Promise.all([master.stop(), replica.stop()]);
    },
  };
}
