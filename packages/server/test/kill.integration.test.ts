import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DEADLINE } from '../../../scripts/deadline.ts';
import { freePort } from '../../tidings/test/faults/free-port.ts';
import { Reader } from '../../tidings/test/faults/reader.ts';
import { until } from '../../tidings/test/http/deadline.ts';
import { SECRET, makeFolder, removeFolder, startServer, tokenFor } from './server-process.ts';

/** These variables raise both, for longer runs. */
const kills = Number(process.env['TIDINGS_KILLS'] ?? 4);
const clients = Number(process.env['TIDINGS_CLIENTS'] ?? 60);

const TOPICS = ['a', 'b', 'c'];
const PUBLISHERS = 4;
/** Milliseconds. Thousands of streams have better things to do than heartbeats. */
const HEARTBEAT = clients > 1000 ? 10_000 : 1000;
/** Streams that are opened at a time: the system's queue of connections is short. */
const AT_ONCE = 200;

test(
  `a server that is killed ${kills} times with ${clients} streams has every event that it acknowledged, once`,
  { timeout: 3 * DEADLINE + kills * 30_000 + clients * 20 },
  async () => {
    const folder = makeFolder();
    const port = await freePort();
    const start = () =>
      startServer({
        environment: { TIDINGS_AUTH_JWT_SECRET: SECRET, TIDINGS_LOG_URL: `lmdb:${join(folder, 'log')}` },
        args: [
          `--listen-port=${port}`,
          '--auth-anonymous-subscribe=*',
          `--limits-connections=${clients + 100}`,
          `--limits-connections-per-address=${clients + 100}`,
          `--stream-heartbeat=${HEARTBEAT}ms`,
          '--stream-retry=100ms',
          '--logging-access=off',
        ],
      });
    let server = await start();
    const { publicUrl } = server;
    const token = await tokenFor('publisher', { publish: ['*'] });
    /** The events in the order in which each publisher published them. */
    const acknowledged = Array.from({ length: PUBLISHERS }, (): string[] => []);
    let publishing = true;
    let retries = 0;

    /** The same request until it is answered: it counts once, however often it came through. */
    async function post(topic: string, id: string): Promise<void> {
      const key = randomUUID();
      const giveUp = performance.now() + DEADLINE;
      for (;;) {
        try {
          const response = await fetch(`${publicUrl}/v1/publish`, {
            method: 'POST',
            headers: {
              authorization: `Bearer ${token}`,
              'content-type': 'application/json',
              'idempotency-key': key,
            },
            body: JSON.stringify({ topics: topic, data: { id } }),
          });
          if (response.ok) return;
          throw new Error(`${response.status}: ${await response.text()}`);
        } catch (error) {
          if (performance.now() > giveUp) throw error;
          retries += 1;
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      }
    }

    async function publish(publisher: number): Promise<void> {
      for (let i = 0; publishing; i += 1) {
        const id = `${publisher}-${i}`;
        await post(TOPICS[i % TOPICS.length] ?? 'a', id);
        acknowledged[publisher]?.push(id);
      }
    }

    const readers: Reader[] = [];
    try {
      for (let i = 0; i < clients; i += 1) {
        readers.push(new Reader(`${publicUrl}/v1/events`, TOPICS, 3 * HEARTBEAT));
        if (readers.length % AT_ONCE === 0)
          await until(`${i + 1} streams`, () =>
            readers.slice(-AT_ONCE).every(({ workers }) => workers.size > 0),
          );
      }
      await until('all streams', () => readers.every(({ workers }) => workers.size > 0));
      const publishers = acknowledged.map((_, i) => publish(i));
      for (let kill = 0; kill < kills; kill += 1) {
        const enough = acknowledged.flat().length + 20;
        await until('further events', () => acknowledged.flat().length >= enough);
        await server.stop('SIGKILL');
        server = await start();
      }
      publishing = false;
      await Promise.all(publishers);
      const total = acknowledged.flat().length;
      await until('all events at all readers', () => readers.every(({ seen }) => seen.length >= total));
      for (const { seen, gaps } of readers) {
        expect(gaps).toEqual([]);
        const seqs = seen.map(({ seq }) => seq);
        expect(seqs).toEqual([...new Set(seqs)].toSorted((a, b) => a - b));
        for (const [publisher, ids] of acknowledged.entries())
          expect(seen.map(({ id }) => id).filter((id) => id.startsWith(`${publisher}-`))).toEqual(ids);
      }
      console.log(
        `${kills} kills, ${clients} streams, ${total} events, ${retries} requests repeated: none lost, none twice`,
      );
    } finally {
      publishing = false;
      for (const reader of readers) reader.close();
      await server.stop('SIGKILL');
      removeFolder(folder);
    }
  },
);
