import { createClient, createCluster, createSentinel } from '@redis/client';
import { Redis as Ioredis } from 'ioredis';
import { type TestContext, describe, expect, test } from 'vitest';
import { certificate } from '../../../test/http/server.ts';
import { startProxy } from '../../../test/engines/proxy.ts';
import { readAll } from '../../../test/engines/read-all.ts';
import {
  type RedisServer,
  aclOfGuide,
  hasRedis,
  startClusterNode,
  startRedis,
  startSecureRedis,
  startSentinel,
} from '../../../test/engines/redis.ts';
import { until, untilAsync } from '../../../test/http/deadline.ts';
import { DEADLINE } from '../../../../../scripts/deadline.ts';
import { createMatcherSet, type EventLog, type LogEntry } from '../../log/index.ts';
import { locate } from '../../log/lineage.ts';
import { type NewEvent, toNewEvent } from '../../protocol/event.ts';
import { type RedisLogOptions, redisLog } from './index.ts';

type Context = Pick<TestContext, 'onTestFinished'>;

describe.runIf(hasRedis).concurrent('a Redis log', () => {
  test('goes on with the new master after a failover by Sentinel, with the clients of both libraries', async (context) => {
    const master = await fresh(context);
    const replica = await fresh(context, '--replicaof', '127.0.0.1', String(master.port));
    const sentinel = await startSentinel(master, 3000);
    context.onTestFinished(() => sentinel.stop());
    const sentinels = [{ host: '127.0.0.1', port: sentinel.port }];
    const direct = commands(context, master);
    await untilAsync('Sentinel knows the replica', async () => {
      const found = await commands(context, sentinel).call('SENTINEL', 'REPLICAS', 'main');
      return String(found).includes(String(replica.port));
    });
    const ofIoredis = new Ioredis({ sentinels, name: 'main' });
    ofIoredis.on('error', () => {});
    context.onTestFinished(() => ofIoredis.disconnect());
    const ofNodeRedis = createSentinel({ name: 'main', sentinelRootNodes: sentinels, masterPoolSize: 3 });
    ofNodeRedis.on('error', () => {});
    await ofNodeRedis.connect();
    context.onTestFinished(() => ofNodeRedis.destroy());
    const logs = [await open(context, { client: ofIoredis }), await open(context, { client: ofNodeRedis })];
    const seen = logs.map(collect);
    const before = logs[0]?.tail.epoch ?? '';
    for (const log of logs) await publish(log, 'before');
    await direct.set('after the events', 1);
    expect(Number(await direct.call('WAIT', '1', '60000')), 'replicas that have it all').toBe(1);
    await master.kill();
    for (const log of logs) await publish(log, 'after');
    for (const [i, log] of logs.entries()) {
      await until('it has all events', () => log.tail.head === 4);
      expect(await seen[i]?.()).toEqual(['before', 'before', 'after', 'after']);
      const { tail, lineage } = log;
      const standing = locate({ epoch: before, seq: 2 }, { epoch: tail.epoch, head: tail.head, lineage });
      expect(standing).toEqual({ is: 'known', seq: 2 });
    }
  });

  test('publishes each event once while a cluster of three shards moves its slot to another one', async (context) => {
    const nodes = await startCluster(context);
    const [first] = nodes;
    const ofIoredis = new Ioredis.Cluster([{ host: '127.0.0.1', port: first.port }]);
    ofIoredis.on('error', () => {});
    context.onTestFinished(() => ofIoredis.disconnect());
    const ofNodeRedis = createCluster({ rootNodes: [{ url: first.url }] });
    ofNodeRedis.on('error', () => {});
    await ofNodeRedis.connect();
    context.onTestFinished(() => ofNodeRedis.destroy());
    const topics = [{ match: 'state', state: true }];
    const options = { topics, timeout: 10_000, retention: { events: 1000 } };
    const logs = [
      await open(context, { client: ofIoredis, ...options }),
      await open(context, { client: ofNodeRedis, ...options }),
    ];
    const seen = logs.map(collect);
    const refusals: unknown[] = [];
    let isMoving = true;
    const publishing = logs.map(async (log, i) => {
      const names: string[] = [];
      for (let n = 0; isMoving || n < 5; n += 1) {
        const name = `${i}-${n}`;
        // Each on a topic of its own: a key that Redis doesn't have yet is what it redirects.
        const group = [
          toNewEvent({ topics: `t/${name}`, data: name, raw: true, id: name }),
          toNewEvent({ topics: 'state', key: String(i), data: name, raw: true, id: `state ${name}` }),
        ];
        await appendUntilDone(log, group, refusals);
        names.push(name);
      }
      return names;
    });
    await until('events were published', () => logs.every(({ tail }) => tail.head > 8));
    await moveSlot(context, nodes, () => refusals.length);
    isMoving = false;
    const names = (await Promise.all(publishing)).flat().toSorted();
    for (const [i, log] of logs.entries()) {
      await untilAsync('it has caught up', () =>
        log.catchUp().then(
          () => true,
          () => false,
        ),
      );
      expect((await seen[i]?.())?.toSorted()).toEqual(names);
      expect(log.newestLoss, 'events lost').toBe(0);
    }
    expect(refusals.length, 'appends refused while the slot was on its way').toBeGreaterThan(0);
    for (const error of refusals) expect(error).toMatchObject({ code: 'log/unavailable' });
  });

  test('needs no more than the ACL of the guide, over TLS, and touches no key but those behind its prefix', async (context) => {
    const { key, cert } = await certificate();
    const server = await startSecureRedis({ key, cert });
    context.onTestFinished(() => server.stop());
    const tls = { tls: true, ca: cert, servername: 'localhost' } as const;
    const admin = createClient({ url: server.url, socket: tls });
    await admin.connect();
    context.onTestFinished(() => admin.destroy());
    await admin.sendCommand(aclOfGuide('secret'));
    const client = createClient({ url: server.url, username: 'tidings', password: 'secret', socket: tls });
    await client.connect();
    context.onTestFinished(() => client.destroy());
    for (const wrong of [['SET', 'other', '1'], ['INFO'], ['FLUSHALL'], ['CONFIG', 'GET', '*']])
      await expect(client.sendCommand(wrong)).rejects.toThrow(/NOPERM/);
    const log = await open(context, { client, topics: [{ match: 'state', state: true }] });
    await log.append([event('1'), toNewEvent({ topics: 'state', key: 'k', data: 2, ttl: 60_000 })]);
    await log.catchUp();
    expect(log.tail.head).toBe(2);
    await log.close();
    const unsafe = await open(context, { client, durability: 'replica', timeout: 6000 });
    await expect(unsafe.append([event('3')])).rejects.toMatchObject({
      code: 'log/write-failed',
      details: { durability: 'replica' },
    });
  });

  test('refuses `disk` where the server can’t say when an event is there, and waits for it where it can', async (context) => {
    const server = await fresh(context, '--appendonly', 'yes', '--appendfsync', 'always');
    const probe = commands(context, server);
    const version = /^redis_version:(\S+)/m.exec(await probe.info('server'))?.[1] ?? '';
    const isThere = await probe
      .call('COMMAND', 'INFO', 'WAITAOF')
      .then((found) => (found as unknown[])[0] !== null);
    if (isThere) {
      const log = await open(context, { url: server.url, durability: 'disk' });
      await log.append([event('kept')]);
      await server.kill();
      await server.start();
      expect(await commands(context, server).xlen('{tidings}:log')).toBe(1);
      const without = await fresh(context);
      await expect(redisLog({ url: without.url, durability: 'disk' })).rejects.toMatchObject(refusal('disk'));
    } else {
      console.log(`redis-server ${version} has no WAITAOF (7.2 has): only the refusal of "disk" is tested`);
      await expect(redisLog({ url: server.url, durability: 'disk' })).rejects.toMatchObject(refusal('disk'));
      expect(await probe.keys('*'), 'keys made').toEqual([]);
    }
  });

  test('refuses to wait for a replica by a cluster client that may ask any node', async (context) => {
    const client = new Ioredis.Cluster([{ host: '127.0.0.1', port: 1 }], { lazyConnect: true });
    context.onTestFinished(() => client.disconnect());
    await expect(redisLog({ client, durability: 'replica', timeout: 100 })).rejects.toMatchObject({
      code: 'hub/invalid-option',
      details: { option: 'durability' },
    });
  });

  test('refuses a server that may evict its keys, and takes one that evicts only keys with a time to live', async (context) => {
    const server = await fresh(context, '--maxmemory', '100mb');
    const admin = commands(context, server);
    for (const policy of ['allkeys-lru', 'allkeys-lfu', 'allkeys-random']) {
      await admin.config('SET', 'maxmemory-policy', policy);
      await expect(redisLog({ url: server.url })).rejects.toMatchObject({
        code: 'log/unavailable',
        details: { policy },
      });
    }
    for (const policy of ['noeviction', 'volatile-lru', 'volatile-lfu', 'volatile-random', 'volatile-ttl']) {
      await admin.config('SET', 'maxmemory-policy', policy);
      const prefix = `{${policy}}:`;
      const log = await open(context, { url: server.url, prefix, topics: [{ match: 'a', state: true }] });
      await log.append([toNewEvent({ topics: 'a', key: 'k', data: 1, id: 'i', ttl: 60_000 })]);
      for (const key of await admin.keys(`${prefix}*`)) expect(await admin.pttl(key), key).toBe(-1);
    }
  });

  test('finds out that its connections lead to a server that is no longer the master', async (context) => {
    const [old, next] = [await fresh(context), await fresh(context)];
    const proxy = await startProxy(old.port);
    context.onTestFinished(() => proxy.stop());
    await commands(context, next).replicaof('127.0.0.1', old.port);
    const log = await open(context, { url: `redis://127.0.0.1:${proxy.port}`, timeout: 20_000 });
    const { epoch } = log.tail;
    await log.append([event('1')]);
    await commands(context, old).call('WAIT', '1', '60000');
    await untilAsync(
      'the replica has it all',
      async () => (await commands(context, next).xlen('{tidings}:log')) === 1,
    );
    // The old master goes on and knows nothing, and the log's connections stay with it.
    await commands(context, next).replicaof('NO', 'ONE');
    proxy.target = next.port;
    const other = await open(context, { url: next.url });
    await publish(other, 'new');
    const rewinds: number[] = [];
    log.tail.onRewind((end) => rewinds.push(end));
    await log.append([event('lost')]);
    await until('it follows the new master', () => log.tail.epoch === other.tail.epoch);
    await log.catchUp();
    expect(rewinds).toEqual([1]);
    const { tail, lineage } = log;
    expect(locate({ epoch, seq: 2 }, { epoch: tail.epoch, head: tail.head, lineage })).toEqual({
      is: 'rewound',
      seq: 1,
    });
    await publish(log, 'newer');
    await until('the other has it, too', () => other.tail.head === log.tail.head);
  });

  test('leaves a server that was made a replica for the one that is now the master', async (context) => {
    const [old, next] = [await fresh(context), await fresh(context)];
    const proxy = await startProxy(old.port);
    context.onTestFinished(() => proxy.stop());
    const log = await open(context, { url: `redis://127.0.0.1:${proxy.port}`, timeout: 20_000 });
    await publish(log, '1');
    const admin = commands(context, next);
    await admin.replicaof('127.0.0.1', old.port);
    await untilAsync('the replica has it all', async () => (await admin.xlen('{tidings}:log')) === 1);
    await admin.replicaof('NO', 'ONE');
    await commands(context, old).replicaof('127.0.0.1', next.port);
    proxy.target = next.port;
    expect(await log.append([event('2')])).toEqual([{ seq: 2, duplicate: false }]);
    expect(await admin.xlen('{tidings}:log')).toBe(2);
  });

  test('reads while it waits for a replica, and waits with Sentinel’s pool of connections too', async (context) => {
    const master = await fresh(context);
    const replica = await fresh(context, '--replicaof', '127.0.0.1', String(master.port));
    const sentinel = await startSentinel(master, DEADLINE);
    context.onTestFinished(() => sentinel.stop());
    const sentinelRootNodes = [{ host: '127.0.0.1', port: sentinel.port }];
    const pool = createSentinel({ name: 'main', sentinelRootNodes, masterPoolSize: 3 });
    pool.on('error', () => {});
    await pool.connect();
    context.onTestFinished(() => pool.destroy());
    const server = commands(context, master);
    const options = { durability: 'replica', timeout: 8 * DEADLINE, tail: { events: 0 } } as const;
    for (const log of [
      await open(context, { url: master.url, ...options }),
      await open(context, { client: pool, ...options }),
    ]) {
      await publish(log, 'confirmed');
      replica.pause();
      let outcome = 'waiting';
      const appending = log.append([event('appended')]).then(
        () => (outcome = 'confirmed'),
        (error: unknown) => (outcome = String(error)),
      );
      await untilAsync('the log waits for a replica', () => isWaiting(server));
      const all = createMatcherSet(['a']);
      const limit = { events: 1000, length: 1_000_000 };
      const { entries } = await log.read({ after: 0, matchers: all, wants: () => true, limit });
      expect([entries[0]?.data, outcome]).toEqual(['confirmed', 'waiting']);
      replica.resume();
      await appending;
      expect(outcome).toBe('confirmed');

      // Sent again on a new connection, WAIT would wait for nothing.
      replica.pause();
      const length = (await server.xlen('{tidings}:log')) + 1;
      expect(await appendMeanwhile(log, server, length, () => void killWaiting(server))).toBe(
        'log/unavailable',
      );
      replica.resume();
    }
  });

  test('takes the word of no server about an append that it lacks, or that its replicas lack', async (context) => {
    const [old, next] = [await fresh(context), await fresh(context)];
    const third = await fresh(context, '--replicaof', '127.0.0.1', String(next.port));
    const proxy = await startProxy(old.port);
    context.onTestFinished(() => proxy.stop());
    const [before, admin] = [commands(context, old), commands(context, next)];
    await admin.replicaof('127.0.0.1', old.port);
    const client = new Ioredis(proxy.port, '127.0.0.1');
    client.on('error', () => {});
    context.onTestFinished(() => client.disconnect());
    const log = await open(context, { client, durability: 'replica', timeout: 12_000 });
    const length = (of: Ioredis): Promise<number> => of.xlen('{tidings}:log');
    await publish(log, 'confirmed');

    // The replica stands still, and the connection breaks: another one is to wait for the replica.
    next.pause();
    let outcome = await appendMeanwhile(log, before, 2, () => proxy.heal());
    expect(outcome).not.toBe('confirmed');
    next.resume();
    await untilAsync('the replica has it', async () => (await length(admin)) === 2);

    // The replica takes over without the event, and has a replica of its own.
    await admin.replicaof('NO', 'ONE');
    await untilAsync('its own replica follows', async () => (await length(commands(context, third))) === 2);
    outcome = await appendMeanwhile(log, before, 3, () => {
      proxy.target = next.port;
      proxy.heal();
    });
    expect(outcome).not.toBe('confirmed');
  });
});

function refusal(durability: string): object {
  return { code: 'log/unavailable', details: { durability } };
}

async function fresh(context: Context, ...args: readonly string[]): Promise<RedisServer> {
  const server = await startRedis('--repl-diskless-sync-delay', '0', ...args);
  context.onTestFinished(() => server.stop());
  return server;
}

function commands(context: Context, { port }: { readonly port: number }): Ioredis {
  const client = new Ioredis(port, '127.0.0.1');
  client.on('error', () => {});
  context.onTestFinished(() => client.disconnect());
  return client;
}

/** Appends, and calls `meanwhile` once the log waits for a replica. @returns what became of it. */
async function appendMeanwhile(
  log: EventLog,
  server: Ioredis,
  length: number,
  meanwhile: () => void,
): Promise<string> {
  const appending = log.append([event('appended')]).then(
    () => 'confirmed',
    (error: unknown) => String((error as { code?: string }).code),
  );
  await untilAsync('the server has it', async () => (await server.xlen('{tidings}:log')) === length);
  await untilAsync('the log waits for a replica', () => isWaiting(server));
  meanwhile();
  return appending;
}

async function isWaiting(server: Ioredis): Promise<boolean> {
  return /flags=\S*b.*cmd=wait/.test(String(await server.call('CLIENT', 'LIST')));
}

async function killWaiting(server: Ioredis): Promise<void> {
  const [, id = ''] =
    /^id=(\d+) .*flags=\S*b.*cmd=wait/m.exec(String(await server.call('CLIENT', 'LIST'))) ?? [];
  await server.call('CLIENT', 'KILL', 'ID', id);
}

/** On a machine that is busy, opening may take longer than the test's own `timeout`. */
async function open(context: Context, options: RedisLogOptions): Promise<EventLog> {
  let log: EventLog | undefined;
  await untilAsync('the log opens', async () => {
    log = await redisLog(options).catch((error: unknown) => {
      expect(error).toMatchObject({ code: 'log/unavailable' });
      return undefined;
    });
    return log !== undefined;
  });
  context.onTestFinished(() => log?.close());
  return log as unknown as EventLog;
}

/** The data of all events that it pushes, but not of values: newer ones may be faster than the follower. */
/**
 * Returns what a hub's connection gets of the log, by seq: all that is pushed and, where the tail missed something because the
 * engine was away for too long, all that the log has.
 */
function collect(log: EventLog): () => Promise<string[]> {
  const pushed: LogEntry[] = [];
  let hasMissed = false;
  log.tail.onPush((entries) => void pushed.push(...entries));
  log.tail.onMiss(() => (hasMissed = true));
  return async () => {
    const read = hasMissed ? await readAll(log) : [];
    const seqs = new Set(pushed.map(({ seq }) => seq));
    expect(seqs.size, 'each is pushed once').toBe(pushed.length);
    return [...pushed, ...read.filter(({ seq }) => !seqs.has(seq))]
      .filter(({ key }) => key === undefined)
      .toSorted((a, b) => a.seq - b.seq)
      .map(({ data }) => data);
  };
}

function event(data: string): NewEvent {
  return toNewEvent({ topics: 'a', data, raw: true });
}

/** Retries until it succeeds. The id keeps retries from adding the event twice. */
function publish(log: EventLog, data: string): Promise<void> {
  return appendUntilDone(log, [toNewEvent({ topics: 'a', data, raw: true, id: crypto.randomUUID() })]);
}

async function appendUntilDone(
  log: EventLog,
  events: readonly NewEvent[],
  errors: unknown[] = [],
): Promise<void> {
  await untilAsync('an append succeeds', () =>
    log.append(events).then(
      () => true,
      (error: unknown) => {
        errors.push(error);
        return false;
      },
    ),
  );
}

type ClusterNode = Awaited<ReturnType<typeof startClusterNode>>;

async function startCluster(context: Context): Promise<readonly [ClusterNode, ...ClusterNode[]]> {
  const nodes = await Promise.all([startClusterNode(), startClusterNode(), startClusterNode()]);
  for (const node of nodes) context.onTestFinished(() => node.stop());
  const [first] = nodes;
  const slots = [
    [0, 5460],
    [5461, 10_922],
    [10_923, 16_383],
  ];
  for (const [i, node] of nodes.entries()) {
    const client = commands(context, node);
    await client.call('CLUSTER', 'ADDSLOTSRANGE', ...(slots[i] ?? []).map(String));
    if (i > 0) await client.call('CLUSTER', 'MEET', '127.0.0.1', String(first.port), String(first.busPort));
  }
  for (const node of nodes) {
    await untilAsync('all slots are served', async () => {
      const info = String(await commands(context, node).call('CLUSTER', 'INFO'));
      return info.includes('cluster_state:ok') && info.includes('cluster_known_nodes:3');
    });
  }
  return nodes;
}

/** Moves the log's slot to another node, some keys at a time; `refused` appends come in between. */
async function moveSlot(
  context: Context,
  nodes: readonly ClusterNode[],
  refused: () => number,
): Promise<void> {
  const clients = nodes.map((node) => commands(context, node));
  const ids = await Promise.all(clients.map((client) => client.call('CLUSTER', 'MYID').then(String)));
  const slot = String(await clients[0]?.call('CLUSTER', 'KEYSLOT', '{tidings}:log'));
  const from = Math.floor(Number(slot) / 5461);
  const to = (from + 1) % 3;
  const [source, target, toPort] = [clients[from], clients[to], String(nodes[to]?.port)];
  await target?.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', ids[from] ?? '');
  await source?.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', ids[to] ?? '');
  for (;;) {
    const before = refused();
    await until('an append was refused', () => refused() > before);
    const keys = (await source?.call('CLUSTER', 'GETKEYSINSLOT', slot, '40')) as string[];
    if (keys.length === 0) break;
    await source?.call('MIGRATE', '127.0.0.1', toPort, '', '0', '10000', 'KEYS', ...keys);
  }
  for (const client of [target, source, clients[3 - from - to]])
    await client?.call('CLUSTER', 'SETSLOT', slot, 'NODE', ids[to] ?? '');
}
