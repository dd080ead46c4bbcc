import { Redis as Ioredis } from 'ioredis';
import { untilAsync } from '../http/deadline.ts';
import { startFront } from './front.ts';
import type { EnginePair } from './pair.ts';
import { type RedisServer, startRedis } from './redis.ts';

export async function startRedisPair(): Promise<EnginePair> {
  // The processes are killed, not the machine: what was written stays.
  const durable = ['--appendonly', 'yes', '--appendfsync', 'no', '--repl-diskless-sync-delay', '0'];
  let [master, replica] = [await startRedis(...durable), await startRedis(...durable)];
  const front = await startFront(() => master.port);

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

  await follow();
  return {
    url: `redis://127.0.0.1:${front.port}`,
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
      front.drop();
      await replica.start();
      await follow();
    },
    partition: front.cut,
    async stop() {
      front.close();
      await Promise.all([master.stop(), replica.stop()]);
    },
  };
}
