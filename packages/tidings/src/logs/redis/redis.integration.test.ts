import { Redis as Ioredis } from 'ioredis';
import { createClient } from '@redis/client';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { DEADLINE } from '../../../../../scripts/deadline.ts';
import { type RedisServer, aclOfGuide, hasRedis, startRedis } from '../../../test/engines/redis.ts';
import { readAll } from '../../../test/engines/read-all.ts';
import { until, untilAsync } from '../../../test/http/deadline.ts';
import { type LogEntry, sizeOf } from '../../log/entry.ts';
import type { EventLog } from '../../log/event-log.ts';
import { type EventInput, type NewEvent, toNewEvent } from '../../protocol/event.ts';
import { logContract } from '../../testing/log-contract.ts';
import { locate } from '../../log/lineage.ts';
import { lineageContract } from '../../testing/lineage-contract.ts';
import { sharedLogContract } from '../../testing/shared-log-contract.ts';
import { type RedisClient, type RedisLogOptions, redisLog } from './index.ts';

let server: RedisServer;
let prefixes = 0;

beforeAll(async () => {
  server = await startRedis('--appendonly', 'yes');
});
afterAll(() => server.stop());

function newPrefix(): string {
  prefixes += 1;
  return `{test-${prefixes}}:`;
}

function open(options: Partial<RedisLogOptions> = {}): Promise<EventLog> {
  return redisLog({ url: server.url, prefix: newPrefix(), ...options });
}

const LITTLE = { tail: { events: 2 } };

/** Clients answer fields, commands that block, and losses in different shapes, as do the versions of the protocol. */
describe.runIf(hasRedis).each([
  ['with a URL and all it has read lately in memory', 'url', {}],
  ['with a client of ioredis and next to nothing in memory', 'ioredis', LITTLE],
  ['with a client of @redis/client, RESP3 and next to nothing in memory', 'RESP3', LITTLE],
] as const)('the Redis log %s', (_, kind, memory) => {
  let client: RedisClient | undefined;
  let end: () => void = () => {};

  beforeAll(async () => {
    if (kind === 'ioredis') {
      const made = new Ioredis(server.url);
      [client, end] = [made, () => made.disconnect()];
    }
    if (kind === 'RESP3') {
      const made = createClient({ url: server.url, RESP: 3 });
      await made.connect();
      [client, end] = [made, () => made.destroy()];
    }
  });
  afterAll(() => end());

  const openOwn = (options: Partial<RedisLogOptions>): Promise<EventLog> =>
    client === undefined ? open(options) : redisLog({ prefix: newPrefix(), ...options, client });

  test.each(logContract)('$name', ({ run }) => run((given) => openOwn({ ...given, ...memory }), DEADLINE));

  test.each(sharedLogContract)('$name', ({ run }) =>
    run(async (given) => {
      const prefix = newPrefix();
      return [await openOwn({ ...given, prefix }), await open({ ...given, prefix })];
    }, DEADLINE),
  );
});

describe.runIf(hasRedis)('a Redis log whose server comes back with less than it had', () => {
  /** A server that keeps nothing by itself: `keep` writes its memory to the disk, and a crash goes back to that. */
  test.each(lineageContract)('$name', ({ run }) =>
    run(async (given) => {
      const started = await startRedis();
      onTestFinished(() => started.stop());
      const log = await redisLog({ ...given, url: started.url });
      const client = new Ioredis(started.url);
      client.on('error', () => {});
      onTestFinished(() => client.disconnect());
      return {
        log,
        keep: () => client.save().then(() => {}),
        async lose() {
          const { epoch } = log.tail;
          await started.kill();
          await started.start();
          await untilAsync('the log has gone back', async () => {
            await log.catchUp().catch(() => {});
            return log.tail.epoch !== epoch;
          });
          return log;
        },
      };
    }, DEADLINE),
  );
});

describe.runIf(hasRedis)('a Redis log', () => {
  test('leaves a client of the app open', async () => {
    const client = new Ioredis(server.url);
    onTestFinished(() => client.disconnect());
    const log = await redisLog({ client, prefix: newPrefix() });
    await log.append([event('1')]);
    await log.close();
    expect(await client.ping()).toBe('PONG');
  });

  const fresh = async (...args: readonly string[]): Promise<RedisServer> => {
    const started = await startRedis(...args);
    onTestFinished(() => started.stop());
    return started;
  };
  const event = (data: string, more: Partial<EventInput> = {}): NewEvent =>
    toNewEvent({ topics: 'a', data, raw: true, ...more });

  test('says within its timeout that there is no server', async () => {
    const { url, stop } = await startRedis();
    await stop();
    await expect(redisLog({ url, timeout: 300 })).rejects.toMatchObject({ code: 'log/unavailable' });
  });

  test.each([
    [
      'a right',
      'NOPERM',
      ['ACL', 'SETUSER', 'weak', 'reset', 'on', '>pw', '~*', '+@all', '-eval'],
      'weak:pw@',
    ],
    ['room', 'OOM', ['CONFIG', 'SET', 'maxmemory', '1kb'], ''],
    ['a replica', 'NOREPLICAS', ['CONFIG', 'SET', 'maxmemory', '0', 'min-replicas-to-write', '1'], ''],
  ])('says plainly that Redis lacks %s when it is opened', async (_, code, command, user) => {
    const admin = new Ioredis(server.url);
    onTestFinished(async () => {
      await admin.config('SET', 'maxmemory', '0', 'min-replicas-to-write', '0');
      admin.disconnect();
    });
    const [name = '', ...args] = command;
    await admin.call(name, ...args);
    const opening = open({ url: server.url.replace('://', `://${user}`) });
    await expect(opening).rejects.toMatchObject({
      code: 'log/unavailable',
      message: expect.stringContaining(`Redis refuses a command that the log needs: ${code} `),
    });
  });

  test('rejects if no replica confirms the append', async () => {
    const log = await open({ durability: 'replica', timeout: 5000 });
    await expect(log.append([event('1')])).rejects.toMatchObject({ code: 'log/write-failed' });
    await log.close();
  });

  test('goes on after a crash of the server, with everything that was on the disk', async () => {
    const started = await fresh('--appendonly', 'yes', '--appendfsync', 'always');
    const log = await redisLog({ url: started.url, timeout: 5000 });
    const { epoch } = log.tail;
    await log.append([event('1')]);
    await started.kill();
    await expect(log.append([event('lost')])).rejects.toMatchObject({ code: 'log/unavailable' });
    await started.start();
    let seq = 0;
    await untilAsync('an append succeeds', async () => {
      seq = (await log.append([event('2')]).catch(() => [{ seq: 0 }]))[0]?.seq ?? 0;
      return seq > 0;
    });
    const other = await redisLog({ url: started.url });
    expect(other.tail.head).toBe(seq);
    // The server might have lost something, for all that the log knows. Nobody who saw nothing lost notices.
    expect(other.tail.epoch).toBe(log.tail.epoch);
    expect(other.lineage).toEqual([{ epoch, end: 1 }]);
    expect(locate({ epoch, seq: 1 }, { epoch: other.tail.epoch, head: seq, lineage: other.lineage })).toEqual(
      {
        is: 'known',
        seq: 1,
      },
    );
    await Promise.all([log.close(), other.close()]);
  });

  test('rejects a publish within its timeout while the server doesn’t answer, and follows again afterwards', async () => {
    const started = await fresh();
    const [log, other] = [
      await redisLog({ url: started.url, timeout: 3000 }),
      await redisLog({ url: started.url, timeout: 3000 }),
    ];
    await log.append([event('1')]);
    started.pause();
    await expect(log.append([event('2')])).rejects.toMatchObject({ code: 'log/unavailable' });
    started.resume();
    await untilAsync('an append succeeds', () =>
      log.append([event('3')]).then(
        () => true,
        () => false,
      ),
    );
    await until('the other follows', () => other.tail.head === log.tail.head);
    await Promise.all([log.close(), other.close()]);
  });

  test('leaves no connection behind from the time without a server', async () => {
    const started = await fresh('--appendonly', 'yes');
    const client = createClient({ url: started.url });
    client.on('error', () => {});
    await client.connect();
    onTestFinished(() => client.destroy());
    const made: ReturnType<typeof client.duplicate>[] = [];
    const duplicate = client.duplicate.bind(client);
    client.duplicate = ((...args: Parameters<typeof duplicate>) => {
      const other = duplicate(...args);
      made.push(other);
      return other;
    }) as typeof client.duplicate;
    const log = await redisLog({ client, timeout: 3000 });
    await started.kill();
    await until('it has tried several times', () => made.length > 3);
    await started.start();
    await untilAsync('it follows again', async () => {
      await log.append([event('1')]).catch(() => {});
      return made.at(-1)?.isReady === true && log.tail.head > 0;
    });
    await until('only one is open', () => made.filter(({ isOpen }) => isOpen).length === 1);
    await log.close();
    expect(made.filter(({ isOpen }) => isOpen)).toEqual([]);
  });

  test('goes on if its connection can’t be ended, as in some versions of a client', async () => {
    const started = await fresh('--appendonly', 'yes');
    const client = createClient({ url: started.url });
    client.on('error', () => {});
    await client.connect();
    onTestFinished(() => client.destroy());
    let refusals = 0;
    const duplicate = client.duplicate.bind(client);
    client.duplicate = ((...args: Parameters<typeof duplicate>) => {
      const other = duplicate(...args);
      const destroy = other.destroy.bind(other);
      other.destroy = () => {
        destroy();
        refusals += 1;
        throw new Error('The client is closed');
      };
      return other;
    }) as typeof client.duplicate;
    const log = await redisLog({ client, timeout: 3000 });
    await started.kill();
    await until('it has ended some', () => refusals > 1);
    await started.start();
    await untilAsync('it follows again', async () => {
      await log.append([event('1')]).catch(() => {});
      return log.tail.head > 0;
    });
    await log.close();
  });

  test('appends a call once, even if a client sends it again after a later one', async () => {
    const client = new Ioredis(server.url);
    onTestFinished(() => client.disconnect());
    const sent: [string, ...string[]][] = [];
    const call = client.call.bind(client) as (...args: string[]) => Promise<unknown>;
    client.call = ((...args: [string, ...string[]]) => {
      if (args[0] === 'EVALSHA') sent.push(args);
      return call(...args);
    }) as typeof client.call;
    const log = await redisLog({ client, prefix: newPrefix() });
    for (const data of ['1', '2']) await log.append([event(data)]);
    const [first = [], second = []] = sent.slice(-2);
    await expect(call(...first)).rejects.toThrow(/^TIDINGS-LATE /);
    await call(...second);
    await log.append([event('3')]);
    expect(log.tail.head).toBe(3);
    await log.close();
  });

  test('brings others’ events at once, whatever the timeout', async () => {
    const prefix = newPrefix();
    /** A busy machine may take longer than such a timeout. */
    const surely = async <T>(what: string, attempt: () => Promise<T>): Promise<T> => {
      let done: { readonly value: T } | undefined;
      await untilAsync(what, async () => {
        done = await attempt().then(
          (value) => ({ value }),
          () => undefined,
        );
        return done !== undefined;
      });
      return (done as unknown as { readonly value: T }).value;
    };
    const one = await surely('one opens', () => open({ prefix, timeout: 999 }));
    const two = await surely('another opens', () => open({ prefix, timeout: 1 + 1000 }));
    await surely('an append', () => one.append([event('1', { id: '1' })]));
    await until('the other has it', () => two.tail.head === 1);
    await surely('an append', () => two.append([event('2', { id: '2' })]));
    await until('the first one has it', () => one.tail.head === 2);
    await Promise.all([one.close(), two.close()]);
  });

  test('gets small appends of others with their wake-ups, and reads large ones', async () => {
    const prefix = newPrefix();
    const client = new Ioredis(server.url);
    onTestFinished(() => client.disconnect());
    let reads = 0;
    const call = client.call.bind(client) as (...args: string[]) => Promise<unknown>;
    client.call = ((...args: [string, ...string[]]) => {
      if (args[0].startsWith('EVAL')) reads += 1;
      return call(...args);
    }) as typeof client.call;
    const topics = [{ match: 's', state: true }];
    const one = await open({ prefix, topics });
    const two = await redisLog({ client, prefix, topics });
    onTestFinished(() => Promise.all([one.close(), two.close()]).then(() => {}));
    const pushed: LogEntry[] = [];
    two.tail.onPush((entries) => pushed.push(...entries));
    const wanted: LogEntry[] = [];
    one.tail.onPush((entries) => wanted.push(...entries));
    const append = async (events: readonly NewEvent[]): Promise<void> => {
      await one.append(events);
      await until('the other has it', () => two.tail.head === one.tail.head);
    };
    const small = [
      event('entry', { type: 'after', id: 'i' }),
      event('größer\n😀', { topics: ['entry', 'b'], private: true }),
      event('1', { topics: 's', key: 'entry' }),
    ];
    // It also looks once a second.
    await untilAsync('an append has come without a look', async () => {
      const before = reads;
      await append(small.map((each) => ({ ...each, id: undefined })));
      return reads === before;
    });
    await append(small);
    const before = reads;
    await append(Array.from({ length: 200 }, (_, i) => event(`${i}`.padEnd(1000))));
    expect(reads).toBeGreaterThan(before);
    await append(small);
    expect(pushed).toEqual(wanted);
    expect([two.tail.length, two.floor]).toEqual([one.tail.length, one.floor]);
  });

  test('counts exactly the events and bytes that it keeps, wherever in a group retention has come to', async () => {
    const prefix = newPrefix();
    const log = await redisLog({ url: server.url, prefix, retention: { events: 50 }, tail: { events: 0 } });
    onTestFinished(() => log.close());
    const client = new Ioredis(server.url);
    onTestFinished(() => client.disconnect());
    const topics = [['a'], ['b'], ['a', 'b']];
    let appended = 0;
    for (const length of [30, 40, 7, 1, 64, 64, 3, 130, 9, 20, 20, 20]) {
      const group = Array.from({ length }, (_, i) =>
        // Several lists of topics in one pack, or ids, are trimmed event by event.
        event('x'.repeat(i % 11), {
          topics: length % 2 === 0 ? 'a' : (topics[i % 3] ?? 'a'),
          ...(length === 20 && { id: `${appended}-${i}` }),
        }),
      );
      await log.append(group);
      appended += length;
      const kept = await readAll(log);
      expect(kept.map(({ seq }) => seq)).toEqual(
        Array.from({ length: Math.min(50, appended) }, (_, i) => Math.max(0, appended - 50) + 1 + i),
      );
      const [events, bytes] = await client.hmget(`${prefix}meta`, 'events', 'bytes');
      const size = kept.reduce((sum, entry) => sum + sizeOf(entry), 0);
      expect([Number(events), Number(bytes)]).toEqual([kept.length, size]);
    }
  });

  test('bounds what its memory keeps of the hub’s own tombstones', async () => {
    const log = await open({ tail: { events: 5 } });
    for (let i = 0; i < 20; i += 1) {
      const key = { topics: [`presence/${i}`], key: 'k', id: undefined } as const;
      await log.append([{ ...key, type: 'presence', data: 'null', tombstone: true, private: false }]);
    }
    expect(log.tail.length).toBeLessThanOrEqual(5);
    await log.close();
  });

  test('writes a group as a whole or not at all', async () => {
    const log = await open();
    const client = new Ioredis(server.url);
    onTestFinished(() => client.disconnect());
    const { seq } = (await log.append([event('1')]))[0] ?? { seq: 0 };
    const prefix = `{test-${prefixes}}:`;
    // Memory that is used up is found out before the script begins.
    await client.config('SET', 'maxmemory', '1');
    await expect(log.append([event('2'), event('3')])).rejects.toMatchObject({ code: 'log/write-failed' });
    await client.config('SET', 'maxmemory', '0');
    expect(await client.xlen(`${prefix}log`)).toBe(1);
    const appended = await log.append([event('2'), event('3')]);
    expect(appended.map((each) => each.seq)).toEqual([seq + 1, seq + 2]);
    await log.close();
  });

  test('refuses a process with other retention or topics while another has it open', async () => {
    const prefix = newPrefix();
    const topics = [{ match: 'a', state: true }];
    const options = { prefix, topics, retention: { events: 10 } };
    const log = await open(options);
    const same = await open({ ...options, retention: { events: 10, age: Infinity } });
    for (const other of [
      { retention: { events: 11 } },
      { topics: [] },
      { retention: { events: 10, age: 9 } },
    ])
      await expect(open({ ...options, ...other })).rejects.toMatchObject({ code: 'log/in-use', status: 503 });
    await log.append([event('1')]);
    await log.close();
    await expect(open({ ...options, topics: [] })).rejects.toMatchObject({ code: 'log/in-use' });
    await same.close();
    const changed = await open({ ...options, topics: [] });
    await changed.append([event('2')]);
    await changed.close();
  });

  test('counts a process that has crashed until its lease ends, and no longer', async () => {
    const prefix = newPrefix();
    const client = new Ioredis(server.url);
    onTestFinished(() => client.disconnect());
    // As a process that was killed leaves it.
    const [seconds] = await client.time();
    await client.zadd(`${prefix}open`, (Number(seconds) + 8) * 1000, 'killed');
    await client.hset(`${prefix}settings`, 'killed', 'others');
    await expect(open({ prefix })).rejects.toMatchObject({ code: 'log/in-use' });
    await untilAsync('the lease ends', () =>
      open({ prefix }).then(
        (log) => log.close().then(() => true),
        () => false,
      ),
    );
  });

  test('takes no event from a process that was away while one with other settings came', async () => {
    const prefix = newPrefix();
    const client = new Ioredis(server.url);
    onTestFinished(() => client.disconnect());
    const log = await open({ prefix });
    await client.del(`${prefix}open`, `${prefix}settings`);
    const other = await open({ prefix, topics: [{ match: 'a', state: true }] });
    await untilAsync('the first one is refused', () =>
      log.append([event('late')]).then(
        () => false,
        (error: unknown) => (error as { code?: string }).code === 'log/in-use',
      ),
    );
    await other.close();
    await untilAsync('it is the only one again', () =>
      log.append([event('again')]).then(
        () => true,
        () => false,
      ),
    );
    await log.close();
  });

  test('has one clock for all processes, whatever the clocks of their machines say', async () => {
    const prefix = newPrefix();
    const [one, two] = [await open({ prefix }), await open({ prefix })];
    const realNow = Date.now;
    onTestFinished(() => void (Date.now = realNow));
    const begin = realNow();
    const times: number[] = [];
    one.tail.onPush((entries) => times.push(...entries.map(({ time }) => time)));
    for (let i = 0; i < 20; i += 1) {
      Date.now = () => realNow() + (i % 2) * 60_000;
      await (i % 2 === 0 ? one : two).append([event(`${i}`)]);
    }
    Date.now = realNow;
    await one.catchUp();
    expect(times).toHaveLength(20);
    // With a clock each, every turn would push the log's time on by a minute.
    expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeLessThanOrEqual(realNow() - begin + 1000);
    await Promise.all([one.close(), two.close()]);
  });

  test('keeps every key behind its prefix, which begins with a hash tag', async () => {
    const { url } = await fresh();
    const log = await redisLog({
      url,
      topics: [
        { match: 's', state: true },
        { match: 'b', retention: { events: 2 } },
      ],
    });
    await log.append([
      event('1', { id: 'x' }),
      event('2', { topics: 's', key: 'k' }),
      event('3', { topics: 'b' }),
    ]);
    const client = new Ioredis(url);
    onTestFinished(() => client.disconnect());
    for (const key of await client.keys('*')) expect(key).toMatch(/^\{tidings\}:/);
    await log.close();
  });
});

describe.runIf(hasRedis)('all of the above', () => {
  test('has used no command that the ACL of the guide leaves out', async () => {
    const client = new Ioredis(server.url);
    onTestFinished(() => client.disconnect());
    const used = [...(await client.info('commandstats')).matchAll(/^cmdstat_([^:]+):/gm)].map(
      ([, name]) => name,
    );
    const allowed = aclOfGuide('secret').map((word) => word.slice(1));
    // Of the tests themselves, of the clients, and to ask for the eviction policy, which the log needn't know.
    const others = [
      'acl|setuser',
      'config|set',
      'config|get',
      'info',
      'xgroup|create',
      'client|setinfo',
      'script|flush',
      'command',
    ];
    expect(used.filter((name = '') => ![...allowed, ...others].includes(name))).toEqual([]);
    expect(used).toContain('evalsha');
  });
});
