/** A database server with a replica, behind one address that leads to whichever is the master. */
import { createClient } from '@redis/client';
import pg from 'pg';
import { until } from './child.ts';
import { type Engine, startPostgres, startRedis, startStandby } from './engines.ts';
import { startFront } from './front.ts';

export interface Pair {
  readonly url: string;
  /** Ends the master without giving it a chance to write anything. */
  kill(): Promise<void>;
  /** Starts the master again. Resolves once it listens. */
  start(): Promise<void>;
  /** Resolves once the replica follows the master; again, if that was started again: else a failover would lose an epoch. */
  follow(): Promise<void>;
  /** Resolves once the replica takes writes in the master's place, and the address leads there. */
  promote(): Promise<void>;
  stop(): Promise<void>;
}

export async function startRedisPair(): Promise<Pair> {
  const master = await startRedis('--repl-diskless-sync-delay', '0');
  const replica = await startRedis('--replicaof', '127.0.0.1', String(master.port));
  return toPair(master, replica, {
    url: 'redis://127.0.0.1:PORT',
    follows: async () => (await askRedis(replica, 'INFO', 'replication')).includes('master_link_status:up'),
    async promote() {
      await askRedis(replica, 'REPLICAOF', 'NO', 'ONE');
    },
  });
}

export async function startPostgresPair(): Promise<Pair> {
  const master = await startPostgres();
  // It listens before it lets anybody in.
  await until('the master answers', async () => (await askPostgres(master, 'SELECT 1').catch(() => 0)) > 0);
  const replica = await startStandby(master, 'wal_retrieve_retry_interval=200ms');
  const streaming = `SELECT 1 FROM pg_stat_wal_receiver WHERE status = 'streaming'`;
  return toPair(master, replica, {
    url: 'postgres://postgres@127.0.0.1:PORT/postgres',
    follows: async () => (await askPostgres(replica, streaming).catch(() => 0)) > 0,
    async promote() {
      await askPostgres(replica, 'SELECT pg_promote()');
    },
  });
}

interface Replication {
  readonly url: string;
  follows(): Promise<boolean>;
  promote(): Promise<void>;
}

async function toPair(
  master: Engine,
  replica: Engine,
  { url, follows, promote }: Replication,
): Promise<Pair> {
  const follow = (): Promise<void> => until('the replica follows', follows);
  await follow();
  let target = master.port;
  const front = await startFront(() => target);
  return {
    url: url.replace('PORT', String(front.port)),
    kill: master.kill,
    start: master.start,
    follow,
    async promote() {
      await promote();
      target = replica.port;
    },
    async stop() {
      front.close();
      await Promise.all([master.stop(), replica.stop()]);
    },
  };
}

async function askRedis(server: Engine, ...command: readonly string[]): Promise<string> {
  const client = await createClient({ url: server.url }).connect();
  try {
    return await client.sendCommand<string>([...command]);
  } finally {
    client.destroy();
  }
}

/** @returns the number of rows. */
async function askPostgres(server: Engine, text: string): Promise<number> {
  const client = new pg.Client({ connectionString: server.url });
  await client.connect();
  try {
    return (await client.query(text)).rows.length;
  } finally {
    await client.end();
  }
}
