import { createClient } from '@redis/client';
import { Redis as Ioredis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { readAll } from '../../../test/engines/read-all.ts';
import { type RedisServer, hasRedis, startRedis } from '../../../test/engines/redis.ts';
import { until, untilAsync } from '../../../test/http/deadline.ts';
import { createMatcherSet } from '../../protocol/matcher-set.ts';
import type { Appended, EventLog } from '../../log/index.ts';
import { type EventInput, type NewEvent, toNewEvent } from '../../protocol/event.ts';
import { type RedisLogOptions, redisLog } from './index.ts';

describe.runIf(hasRedis)('a Redis log whose keys somebody else has touched', () => {
  let server: RedisServer;
  let redis: Ioredis;
  let prefix = '';
  let prefixes = 0;

  beforeAll(async () => {
    server = await startRedis();
    redis = new Ioredis(server.url);
  });
  afterAll(async () => {
    redis.disconnect();
    await server.stop();
  });

  /** A log at a prefix of its own, with nothing in memory: what is read comes from Redis. */
  async function open(options: Partial<RedisLogOptions> = {}): Promise<EventLog> {
    prefix = `{damaged-${(prefixes += 1)}}:`;
    return openAgain(options);
  }

  async function openAgain(options: Partial<RedisLogOptions> = {}): Promise<EventLog> {
    const log = await redisLog({ url: server.url, prefix, tail: { events: 0 }, ...options });
    onTestFinished(() => log.close());
    return log;
  }

  test('refuses a prefix where another app has keys of its own, and leaves them alone', async () => {
    prefix = '{theirs}:';
    await redis.hset('{theirs}:meta', 'name', 'app');
    await expect(openAgain()).rejects.toMatchObject({
      code: 'log/unavailable',
      details: { key: '{theirs}:meta' },
    });
    expect(await redis.hgetall('{theirs}:meta')).toEqual({ name: 'app' });
    await redis.del('{theirs}:meta');
    await redis.set('{theirs}:topics', 'a list of theirs');
    await expect(openAgain()).rejects.toMatchObject({ details: { key: '{theirs}:topics' } });
    await redis.del('{theirs}:topics');
    await redis.xadd('{theirs}:log', '*', 'a', 'b');
    await expect(openAgain()).rejects.toMatchObject({ details: { key: '{theirs}:log' } });
    expect(await redis.keys('{theirs}:*')).toEqual(['{theirs}:log']);
  });

  test.each(['t:a', 's:a', 'k:a', 'b:b/1', 'states', 'ids', 'values', 'topics', 'lost', 'sizes'])(
    'refuses events that need the key %s if that has become something else, and nothing of them is ever read',
    async (name) => {
      const topics = [
        { match: 'a', state: true },
        { match: { pattern: 'b/*' }, retention: { events: 1 } },
      ];
      const log = await open({ topics, retention: { events: 3 } });
      await append(log, 'before', { topics: 'x' });
      const type = await redis.type(prefix + name);
      await redis.rename(prefix + name, '{damaged}:aside').catch(() => {});
      await redis.set(prefix + name, 'not what it was');
      const wanted = [
        event('1', { topics: 'x', id: 'i' }),
        event('2', { topics: 'a', key: 'k' }),
        event('3', { topics: 'b/1' }),
        event('4', { topics: 'b/1' }),
        ...['5', '6', '7', '8'].map((data) => event(data, { topics: 'x' })),
      ];
      await expect(log.append(wanted)).rejects.toMatchObject({ code: 'log/write-failed' });
      await redis.del(prefix + name);
      if (type !== 'none' && (await redis.exists('{damaged}:aside')) === 1)
        await redis.rename('{damaged}:aside', prefix + name);
      const [{ seq } = { seq: 0 }] = await append(log, 'after', { topics: 'x' });
      expect(log.tail.head).toBe(seq);
      const found = await dataOf(log);
      // Retention made room for the events that failed. The events it took are reported as lost, even if it is still there.
      expect(['before', 'after']).toEqual(expect.arrayContaining(found));
      expect(found.at(-1)).toBe('after');
      expect((await log.losses(0, createMatcherSet(['x']))).map((loss) => loss.seq)).toEqual([1]);
      const more = await append(log, 'more', { topics: 'y' });
      expect(more).toEqual([{ seq: seq + 1, duplicate: false }]);
    },
  );

  test('tells readers that are behind when somebody has cut the stream, and no one else', async () => {
    const log = await open();
    for (let i = 1; i <= 10; i += 1) await append(log, String(i));
    await redis.xtrim(`${prefix}log`, 'MAXLEN', 3);
    await append(log, '11');
    const lossesAfter = async (seq: number): Promise<readonly number[]> =>
      (await log.losses(seq, createMatcherSet(['a']))).map((loss) => loss.seq);
    expect(await lossesAfter(4)).toEqual([10]);
    expect(await lossesAfter(10)).toEqual([]);
    expect(await dataOf(log)).toEqual(['8', '9', '10', '11']);
    // It counts on from what is there.
    const small = await openAgainWith(log, { retention: { events: 3 } });
    await append(small, '12');
    expect(await dataOf(small)).toEqual(['10', '11', '12']);
  });

  test('goes on without its stream, and counts on from the head that it had', async () => {
    const log = await open();
    for (let i = 1; i <= 3; i += 1) await append(log, String(i));
    await redis.del(`${prefix}log`);
    expect(await append(log, '4')).toEqual([{ seq: 4, duplicate: false }]);
    expect((await log.losses(0, createMatcherSet(['a']))).map(({ seq }) => seq)).toEqual([3]);
    expect(await dataOf(log)).toEqual(['4']);
  });

  test('wakes others up even if somebody has put an entry of a later id before its wake-ups', async () => {
    const log = await open();
    await append(log, '1');
    await redis.xadd(`${prefix}wake`, '9999-0', 'no', 'wake-up');
    expect(await append(log, '2')).toEqual([{ seq: 2, duplicate: false }]);
    const other = await openAgain();
    await append(log, '3');
    await until('the other has it', () => other.tail.head === 3);
    expect(await dataOf(other)).toEqual(['1', '2', '3']);
  });

  test('appends nothing of a call that Redis’s ACL stops half-way, and goes on once it is mended', async () => {
    const name = `half-${prefixes}`;
    const allowed = ['on', '>p', '~*', '&*', '+@all'];
    await redis.call('ACL', 'SETUSER', name, ...allowed);
    const client = createClient({ url: server.url, username: name, password: 'p' });
    client.on('error', () => {});
    await client.connect();
    onTestFinished(() => client.destroy());
    const log = await open();
    const own = await redisLog({ client, prefix, tail: { events: 0 } });
    onTestFinished(() => own.close());
    await append(own, '1');
    await redis.call('ACL', 'SETUSER', name, '-zadd');
    await expect(append(own, 'half', { id: 'h' })).rejects.toMatchObject({ code: 'log/write-failed' });
    await redis.call('ACL', 'SETUSER', name, '+zadd');
    const [{ seq } = { seq: 0 }] = await append(own, '2', { id: 'h' });
    await log.catchUp();
    expect(log.tail.head).toBe(seq);
    expect(await dataOf(log)).toEqual(['1', '2']);
  });

  test('says that it was deleted, to publishers and readers, and is a new log to whoever opens it', async () => {
    const log = await open({ timeout: 5000, tail: { events: 10 } });
    const { epoch } = log.tail;
    for (const data of ['1', '2', '3']) await append(log, data);
    await redis.flushall();
    await expect(append(log, 'lost')).rejects.toMatchObject({ code: 'log/unavailable' });
    await expect(log.catchUp()).rejects.toMatchObject({ code: 'log/unavailable' });
    const rewinds: number[] = [];
    log.tail.onRewind((end) => rewinds.push(end));
    const other = await openAgain();
    expect(other.tail.epoch).not.toBe(epoch);
    await append(other, 'new');
    await until('the process that was there follows', () => log.tail.epoch === other.tail.epoch);
    // The new log has nothing in common with the old one: readers of any old event get a gap.
    expect(rewinds).toEqual([0]);
    await append(log, 'newer');
    await other.catchUp();
    expect(await dataOf(other)).toEqual(['new', 'newer']);
  });

  test('forgets leases from a time when the server’s clock was ahead, no later than others', async () => {
    const log = await open();
    await log.close();
    // As a process leaves them that was killed before the clock was set back by an hour.
    const [seconds] = await redis.time();
    await redis.zadd(`${prefix}open`, (Number(seconds) + 3600) * 1000, 'killed');
    await redis.hset(`${prefix}settings`, 'killed', 'others');
    await expect(openAgain()).rejects.toMatchObject({ code: 'log/in-use' });
    const end = Number(await redis.zscore(`${prefix}open`, 'killed'));
    expect(end / 1000 - Number(seconds)).toBeLessThan(60);
  });

  test('forgets the last calls of processes that have ended', async () => {
    const log = await open();
    await append(log, '1');
    expect(await redis.keys(`${prefix}w:*`)).toHaveLength(1);
    // As a process leaves it that was killed two days ago.
    await redis.hset(`${prefix}w:killed`, 'call', 1);
    await redis.zadd(`${prefix}writers`, Date.now() - 172_800_000, 'killed');
    await (await openAgain()).close();
    expect(await redis.keys(`${prefix}w:killed`)).toEqual([]);
    expect(await redis.keys(`${prefix}w:*`)).toHaveLength(1);
    await log.close();
    expect(await redis.keys(`${prefix}w:*`)).toEqual([]);
  });

  test('keeps what it has while the memory is used up, and goes on when there is some again', async () => {
    const log = await open({ timeout: 5000 });
    await append(log, '1');
    onTestFinished(() => void redis.config('SET', 'maxmemory', '0'));
    await redis.config('SET', 'maxmemory', '1');
    for (let i = 0; i < 3; i += 1)
      await expect(append(log, 'too much')).rejects.toMatchObject({ code: 'log/write-failed' });
    expect(await dataOf(log)).toEqual(['1']);
    await redis.config('SET', 'maxmemory', '0');
    await append(log, '2');
    expect(await dataOf(log)).toEqual(['1', '2']);
    expect(log.newestLoss).toBe(0);
  });

  async function openAgainWith(log: EventLog, options: Partial<RedisLogOptions>): Promise<EventLog> {
    await log.close();
    let found: EventLog | undefined;
    await untilAsync('it is open', async () => {
      found = await openAgain(options).catch(() => undefined);
      return found !== undefined;
    });
    return found as EventLog;
  }
});

async function append(
  log: EventLog,
  data: string,
  more: Partial<EventInput> = {},
): Promise<readonly Appended[]> {
  return log.append([event(data, more)]);
}

function event(data: string, more: Partial<EventInput> = {}): NewEvent {
  return toNewEvent({ topics: 'a', data, raw: true, ...more });
}

async function dataOf(log: EventLog): Promise<string[]> {
  return (await readAll(log)).map(({ data }) => data);
}
