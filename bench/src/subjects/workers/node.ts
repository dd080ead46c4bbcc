/** One node of several that share a log: serves connections, and publishes. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '@redis/client';
import pg from 'pg';
import { type Hub, createHub } from 'tidings';
import { postgresLog } from 'tidings/postgres';
import { redisLog } from 'tidings/redis';
import { sse } from 'tidings/node';
import { answerCommands } from '../../harness/commands.ts';
import {
  type PublishLoad,
  type PublishResult,
  TOPIC,
  publishLoad,
  publishStamped,
} from './load-publisher.ts';

export interface NodeCase {
  readonly engine: 'redis' | 'postgres';
  readonly url: string;
}

let hub: Hub;
let opened: NodeCase;

async function listen(given: NodeCase): Promise<number> {
  opened = given;
  const { url } = given;
  // The suite measures how it takes an engine’s crash; nothing needs to report it.
  const onError = (): void => undefined;
  const log = given.engine === 'redis' ? await redisLog({ url }) : await postgresLog({ url, onError });
  hub = createHub({ log, onError });
  const server = createServer(sse(hub)).listen(0, '127.0.0.1');
  await new Promise((resolve) => void server.once('listening', resolve));
  return (server.address() as AddressInfo).port;
}

const publish = (load: PublishLoad): Promise<PublishResult> =>
  publishLoad(load, (group) => hub.publishAll(group.map((data) => ({ topics: TOPIC, data, raw: true }))));

const publishOne = (): Promise<number> => publishStamped((data) => hub.publish(TOPIC, data, { raw: true }));

/** Again and again, until it is in the log. */
async function publishAtLast(): Promise<number> {
  for (;;) {
    try {
      return await publishOne();
    } catch {
      await sleep(5);
    }
  }
}

/** How many bytes the log takes in the engine: its memory, or its tables with their indexes. */
async function size(): Promise<number> {
  if (opened.engine === 'redis') {
    const client = await createClient({ url: opened.url }).connect();
    const info = await client.sendCommand<string>(['INFO', 'memory']);
    client.destroy();
    return Number(/^used_memory:(\d+)/m.exec(info)?.[1]);
  }
  const client = new pg.Client({ connectionString: opened.url });
  await client.connect();
  const { rows } = await client.query<{ bytes: string }>(
    `SELECT sum(pg_total_relation_size(oid)) AS bytes FROM pg_class
     WHERE relkind = 'r' AND relnamespace = 'tidings'::regnamespace`,
  );
  await client.end();
  return Number(rows[0]?.bytes);
}

answerCommands({ listen, publish, publishOne, publishAtLast, size, close: () => hub.close() });
