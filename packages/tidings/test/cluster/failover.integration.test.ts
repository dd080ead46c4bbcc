import { readFileSync, readdirSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type EventLog, TidingsError } from '../../src/log/index.ts';
import { type RedisLogOptions, redisLog } from '../../src/logs/redis/index.ts';
import { cpuTime } from '../../../../scripts/deadline.ts';
import { toNewEvent } from '../../src/protocol/event.ts';
import { hasRedis, startRedis } from '../engines/redis.ts';
import { startRedisPair } from '../engines/redis-pair.ts';
import { until, untilAsync } from '../http/deadline.ts';
import { Peer } from '../peer.ts';
import { startNode } from './hubs.ts';

/** On a machine that is busy, opening may take longer than the test's own `timeout`. */
async function openSoon(options: RedisLogOptions): Promise<EventLog> {
  let log: EventLog | undefined;
  await untilAsync('the log opens', async () => {
    log = await redisLog(options).catch(() => undefined);
    return log !== undefined;
  });
  return log as unknown as EventLog;
}

/** Until the log has it. @returns how many calls failed. */
async function publish(log: EventLog, data: number): Promise<number> {
  const event = toNewEvent({ topics: 'a', data, id: `id-${data}` });
  let failures = 0;
  await untilAsync('the event is in the log', () =>
    log.append([event]).then(
      () => true,
      (error: unknown) => {
        expect(error, 'a publisher can tell').toBeInstanceOf(TidingsError);
        failures += 1;
        return false;
      },
    ),
  );
  return failures;
}

describe.runIf(hasRedis)('hubs on a Redis that fails', () => {
  test('keep streams open and lose nothing over a restart, a failover and a partition', async () => {
    const redis = await startRedisPair();
    onTestFinished(() => redis.stop());
    const open = (): Promise<EventLog> => openSoon({ url: redis.url, timeout: 3000, durability: 'replica' });
    const [one, two] = [await startNode(open), await startNode(open)];
    const peer = new Peer({ topics: ['a'] }).connect(two.hub);
    let published = 0;
    const faults = [
      () => redis.restart(),
      () => redis.failOver(),
      () => redis.partition(5000),
      () => redis.failOver(),
    ];
    for (const fail of faults) {
      await publish(one.log, (published += 1));
      const failing = fail();
      await publish(one.log, (published += 1));
      await failing;
      await publish(one.log, (published += 1));
      const last = String(published);
      await until('the stream brings it', () => {
        peer.receive();
        return peer.received.at(-1)?.data === last;
      });
    }
    expect(peer.received.map(({ data }) => Number(data))).toEqual(
      Array.from({ length: published }, (_, i) => i + 1),
    );
    expect(peer.events.filter(({ type }) => type === 'tidings:gap')).toEqual([]);
    expect(one.log.lineage.length, 'epochs over').toBeGreaterThan(0);
  });

  test('tell a publisher within the timeout that Redis is away, cost nothing meanwhile, and catch up', async () => {
    const server = await startRedis('--appendonly', 'yes', '--appendfsync', 'always');
    onTestFinished(() => server.stop());
    const open = (): Promise<EventLog> => openSoon({ url: server.url, timeout: 2000 });
    const [one, two] = [await startNode(open), await startNode(open)];
    const peer = new Peer({ topics: ['a'] }).connect(two.hub);
    await publish(one.log, 1);
    await server.kill();
    const begin = performance.now();
    await expect(one.hub.publish('a', 'lost')).rejects.toMatchObject({
      code: 'log/unavailable',
      details: { retryAfter: 5 },
    });
    expect(performance.now() - begin).toBeLessThan(30_000);
    const cpu = cpuTime();
    await new Promise((resolve) => void setTimeout(resolve, 3000));
    expect(cpuTime() - cpu, 'ms of CPU in 3 s without a Redis').toBeLessThan(1500);
    await server.start();
    await publish(one.log, 2);
    await until('the stream brings it', () => {
      peer.receive();
      return peer.received.at(-1)?.data === '2';
    });
    expect(peer.received.map(({ data }) => data)).toEqual(['1', '2']);
  });

  test('find each group whole or not at all in an append-only file that is cut anywhere', async () => {
    const server = await startRedis(
      '--appendonly',
      'yes',
      '--appendfsync',
      'always',
      '--aof-use-rdb-preamble',
      'no',
    );
    onTestFinished(() => server.stop());
    const before = await redisLog({ url: server.url, timeout: 5000 });
    const { head } = before.tail;
    for (let group = 0; group < 5; group += 1)
      await before.append(
        [0, 1, 2, 3].map((i) => toNewEvent({ topics: 'a', data: `${group}-${i}`, id: `${group}-${i}` })),
      );
    await server.kill();
    await before.close();
    const folder = join(server.folder, 'appendonlydir');
    const file = join(folder, readdirSync(folder).find((name) => name.endsWith('.incr.aof')) ?? '');
    const whole = readFileSync(file);
    const { size } = statSync(file);
    const found = new Set<number>();
    for (const share of [0.98, 0.9, 0.75, 0.6, 0.45]) {
      writeFileSync(file, whole);
      truncateSync(file, Math.floor(size * share));
      await server.start();
      const log = await redisLog({ url: server.url, timeout: 5000 });
      const events = log.tail.head - head;
      expect(events % 4, `events in a file of ${share}`).toBe(0);
      found.add(events);
      await log.close();
      await server.kill();
    }
    expect(found.size, 'cuts that lost something else').toBeGreaterThan(1);
  });

  test('start only once there is a Redis', async () => {
    const server = await startRedis();
    onTestFinished(() => server.stop());
    await server.kill();
    await expect(redisLog({ url: server.url, timeout: 300 })).rejects.toMatchObject({
      code: 'log/unavailable',
    });
    await server.start();
    const log = await redisLog({ url: server.url });
    await publish(log, 1);
    await log.close();
  });
});
