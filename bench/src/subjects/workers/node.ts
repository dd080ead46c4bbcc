/** One node of several that share a log: serves connections, and publishes. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createClient } from '@redis/client';
import pg from 'pg';
import { type Hub, createHub } from 'tidings';
import { postgresLog } from 'tidings/postgres';
import { redisLog } from 'tidings/redis';
import { sse } from 'tidings/node';
import { answerCommands } from '../../harness/commands.ts';
import { makeData } from '../../harness/event.ts';

export interface NodeCase {
  readonly engine: 'redis' | 'postgres';
  readonly url: string;
}

export interface PublishLoad {
  /** Events in one call of `publishAll`, and calls at once. */
  readonly group: number;
  readonly inFlight: number;
  readonly seconds: number;
}

export interface PublishResult {
  /** Events a second. */
  readonly rate: number;
  /** Milliseconds from a call until it resolves. */
  readonly acknowledged: readonly number[];
}

const TOPIC = 'bench';
let hub: Hub;
let opened: NodeCase;

async function listen(given: NodeCase): Promise<number> {
  opened = given;
  const { url } = given;
  hub = createHub({ log: given.engine === 'redis' ? await redisLog({ url }) : await postgresLog({ url }) });
  const server = createServer(sse(hub)).listen(0, '127.0.0.1');
  await new Promise((resolve) => void server.once('listening', resolve));
  return (server.address() as AddressInfo).port;
}

async function publish({ group, inFlight, seconds }: PublishLoad): Promise<PublishResult> {
  const event = { topics: TOPIC, data: makeData(0, 0, 100), raw: true };
  const events = Array.from({ length: group }, () => event);
  const acknowledged: number[] = [];
  const start = performance.now();
  const until = start + seconds * 1000;
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      while (performance.now() < until) {
        const began = performance.now();
        await hub.publishAll(events);
        acknowledged.push(performance.now() - began);
      }
    }),
  );
  const rate = (acknowledged.length * group * 1000) / (performance.now() - start);
  return { rate, acknowledged };
}

/** One event with the time at which it was published, by the clock that all processes have. @returns milliseconds. */
async function publishOne(): Promise<number> {
  const began = process.hrtime.bigint();
  await hub.publish(TOPIC, `sent ${began}`, { raw: true });
  return Number(process.hrtime.bigint() - began) / 1e6;
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

answerCommands({ listen, publish, publishOne, size, close: () => hub.close() });
