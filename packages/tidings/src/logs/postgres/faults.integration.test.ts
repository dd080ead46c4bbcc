import { rmSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import {
  type PostgresServer,
  hasPooler,
  hasPostgres,
  startPooler,
  startPostgres,
} from '../../../test/engines/postgres.ts';
import { type Proxy, startProxy } from '../../../test/engines/proxy.ts';
import { collectGarbage } from '../../../test/collect-garbage.ts';
import { until, untilAsync } from '../../../test/http/deadline.ts';
import { type Hub, createHub } from '../../index.ts';
import { locate } from '../../log/lineage.ts';
import { type EventInput, type NewEvent, toNewEvent } from '../../protocol/event.ts';
import { type PostgresLog, type PostgresLogOptions, postgresLog } from './index.ts';

/** For all tests here, each in a schema of its own: a server takes longer to make than to kill. */
let server: PostgresServer;
let schema = '';
let schemas = 0;

beforeAll(async () => {
  // For the test of commits that don't wait for the disk; a process that is killed needs no `fsync`.
  if (hasPostgres) server = await startPostgres('fsync=off', 'wal_writer_delay=10s', 'autovacuum=off');
});
beforeEach(() => {
  schema = `log_${(schemas += 1)}`;
});
afterAll(() => server?.stop());

describe.runIf(hasPostgres)('a PostgreSQL log whose server fails', () => {
  test('goes on after a crash of the server with all that was acknowledged', async () => {
    const log = await open({ url: server.url, timeout: 6000 });
    const { epoch } = log.tail;
    await log.append([event('1')]);
    await server.kill();
    await expect(log.append([event('lost')])).rejects.toMatchObject({ code: 'log/unavailable' });
    await server.start();
    const seq = await appendUntilDone(log, '2');
    const other = await open({ url: server.url });
    expect(other.tail.head).toBe(seq);
    // The server might have lost something, for all that the log knows. Nobody who saw nothing lost notices.
    expect(other.tail.epoch).toBe(log.tail.epoch);
    expect(other.lineage).toEqual([{ epoch, end: 1 }]);
    expect(standing(other, epoch, 1)).toEqual({ is: 'known', seq: 1 });
  });

  test('keeps its epoch if the server is shut down in order and started again', async () => {
    const log = await open({ url: server.url, timeout: 6000 });
    const { epoch } = log.tail;
    await log.append([event('1')]);
    await server.shutDown();
    await server.start();
    await appendUntilDone(log, '2');
    expect(log.tail.epoch).toBe(epoch);
    expect(log.lineage).toEqual([]);
  });

  test('begins a new epoch when one of the server’s processes crashes, and with it the shared memory', async () => {
    const log = await open({ url: server.url, timeout: 10_000 });
    const { epoch } = log.tail;
    await log.append([event('1')]);
    const [{ pid } = {}] = await server.query(
      `SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'`,
    );
    process.kill(Number(pid), 'SIGKILL');
    // The others may go on for a moment.
    await untilAsync('the epoch is a new one', async () => {
      await appendUntilDone(log, 'more');
      return log.tail.epoch !== epoch;
    });
    expect(log.lineage).toMatchObject([{ epoch }]);
    await log.catchUp();
    expect(standing(log, epoch, 1)).toEqual({ is: 'known', seq: 1 });
  });

  test('rejects within its timeout while the server doesn’t answer, and follows again afterwards', async () => {
    const [log, other] = [
      await open({ url: server.url, timeout: 6000 }),
      await open({ url: server.url, timeout: 6000 }),
    ];
    await log.append([event('1')]);
    server.pause();
    const began = performance.now();
    await expect(log.append([event('2')])).rejects.toMatchObject({ code: 'log/unavailable' });
    expect(performance.now() - began).toBeLessThan(30_000);
    await expect(log.catchUp()).rejects.toMatchObject({ code: 'log/unavailable' });
    server.resume();
    const seq = await appendUntilDone(log, '3');
    await until('the other follows', () => other.tail.head >= seq);
    expect(other.tail.epoch).toBe(log.tail.epoch);
  });

  test('keeps its memory level while thousands of publishers fail, and takes no late copy of their events', async () => {
    const proxy = await between(server);
    // It makes the tables, which may take longer than that.
    await (await open({ url: server.url })).close();
    const log = await open({ url: through(proxy), timeout: 3000 });
    await log.append([event('1')]);
    proxy.cut();
    collectGarbage();
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < 4; i += 1) {
      const results = await Promise.allSettled(
        Array.from({ length: 1000 }, () => log.append([event('x'.repeat(1000), { id: `id ${i}` })])),
      );
      expect(new Set(results.map(({ status }) => status))).toEqual(new Set(['rejected']));
    }
    collectGarbage();
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(20_000_000);
    proxy.heal();
    const seq = await appendUntilDone(log, '2');
    expect(seq).toBe(2);
  });

  test('appends once although the answer got lost', async () => {
    const log = await open({ url: server.url, timeout: 20_000 });
    await log.append([event('1')]);
    const client = new pg.Client({ connectionString: server.url });
    await client.connect();
    onTestFinished(() => client.end());
    // Holds up the append where it has done everything but commit.
    await client.query(`BEGIN; SELECT FROM ${schema}.nodes FOR UPDATE`);
    const appending = log.append([event('2')]);
    await untilAsync('the append waits', async () => (await waiting(server)).length > 0);
    const [{ pid } = {}] = await waiting(server);
    await client.query('COMMIT');
    // Whether it has committed before its connection ends is up to chance. In either case it is there once.
    await server.query(`SELECT pg_terminate_backend(${Number(pid)})`);
    const [appended] = await appending;
    expect(appended).toEqual({ seq: 2, duplicate: false });
    const [{ count } = {}] = await server.query(`SELECT count(*)::int FROM ${schema}.events`);
    expect(count).toBe(2);
  });

  test('enters itself again where the server doesn’t know it, so that a call sent twice is appended once', async () => {
    const log = await open({ url: server.url, timeout: 20_000 });
    const calls = (): Promise<readonly unknown[]> => server.query(`SELECT call::int FROM ${schema}.nodes`);
    await log.append([event('1')]);
    // As where a standby took over that had not heard of the process yet.
    await server.query(`DELETE FROM ${schema}.nodes`);
    expect(await log.append([event('2')])).toEqual([{ seq: 2, duplicate: false }]);
    expect(await calls()).toEqual([{ call: 2 }]);
    await log.append([event('3')]);
    expect(await calls()).toEqual([{ call: 3 }]);
  });

  test('keeps subscribers while the server is away, and brings them everything afterwards', async () => {
    const hubs = await Promise.all(
      [0, 1].map(async () =>
        createHub({ log: await postgresLog({ url: server.url, schema, timeout: 6000 }) }),
      ),
    );
    for (const hub of hubs) onTestFinished(() => hub.close());
    const [hub, other] = hubs as [Hub, Hub];
    const received: string[] = [];
    const reading = (async () => {
      for await (const item of other.subscribe('a')) {
        if (item.kind === 'gap') received.push('a gap');
        if (item.kind === 'event') received.push(item.data);
      }
    })();
    await hub.publish('a', 1);
    await until('the first event is there', () => received.length === 1);
    await server.kill();
    await expect(hub.publish('a', 'refused')).rejects.toMatchObject({ code: 'log/unavailable' });
    expect(other.stats().live).toBe(1);
    await server.start();
    await untilAsync('an event is published', () =>
      hub.publish('a', 2, { id: 'again and again' }).then(
        () => true,
        () => false,
      ),
    );
    await until('the second event is there', () => received.length === 2);
    expect(received).toEqual(['1', '2']);
    await other.close();
    await reading;
  });

  test('tells those who saw what a crash took, where commits don’t wait for the disk', async () => {
    const log = await open({ url: server.url, durability: 'relaxed', timeout: 6000 });
    await log.append([event('kept')]);
    await server.query('CHECKPOINT');
    await log.append([event('lost')]);
    const { epoch } = log.tail;
    const rewinds: number[] = [];
    log.tail.onRewind((end) => rewinds.push(end));
    await server.kill();
    await server.start();
    await untilAsync('the log has gone back', async () => {
      await log.catchUp().catch(() => {});
      return log.tail.epoch !== epoch;
    });
    expect(rewinds).toEqual([1]);
    expect(standing(log, epoch, 2)).toEqual({ is: 'rewound', seq: 1 });
    expect(standing(log, epoch, 1)).toEqual({ is: 'known', seq: 1 });
  });
});

describe.runIf(hasPostgres)('a PostgreSQL log that was put back', () => {
  test('begins a new epoch after a dump is restored', async () => {
    const log = await open({ url: server.url });
    await log.append([event('1')]);
    const { epoch } = log.tail;
    const dump = postgres('pg_dump', server, '', `--schema=${schema}`);
    await log.append([event('2')]);
    await log.close();
    await server.query(`DROP SCHEMA ${schema} CASCADE`);
    postgres('psql', server, dump);
    const after = await open({ url: server.url });
    expect(after.tail.head).toBe(1);
    expect(after.lineage).toEqual([{ epoch, end: 1 }]);
    expect(standing(after, epoch, 2)).toEqual({ is: 'rewound', seq: 1 });
  });

  test('begins a new epoch in a copy made while the server was shut down, if it is told so', async () => {
    const log = await open({ url: server.url });
    await log.append([event('1')]);
    const { epoch } = log.tail;
    await log.close();
    await server.shutDown();
    copy(server.folder, `${server.folder}-copy`);
    onTestFinished(() => rmSync(`${server.folder}-copy`, { recursive: true }));
    await server.start();
    const more = await open({ url: server.url });
    await more.append([event('2')]);
    await more.close();
    await server.shutDown();
    rmSync(server.folder, { recursive: true });
    copy(`${server.folder}-copy`, server.folder);
    await server.start();
    const after = await open({ url: server.url, restored: true });
    expect(after.tail.head).toBe(1);
    expect(after.lineage).toEqual([{ epoch, end: 1 }]);
  });
});

describe.runIf(hasPostgres)('a PostgreSQL log that gets no notifications', () => {
  test.runIf(hasPooler)('follows through PgBouncer in transaction mode', async () => {
    const pooler = await startPooler(server);
    onTestFinished(() => pooler.stop());
    const [log, other] = [await open({ url: pooler.url }), await open({ url: pooler.url })];
    const seqs: number[] = [];
    other.tail.onPush((entries) => void seqs.push(...entries.map(({ seq }) => seq)));
    for (let i = 0; i < 20; i += 1) await log.append([event(String(i)), event(String(i))]);
    await until('the other follows', () => other.tail.head === 40);
    expect(seqs).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
  });

  test('follows without listening at all', async () => {
    const log = await open({ url: server.url, listen: false, pollInterval: 10 });
    const other = await open({ url: server.url, listen: false, pollInterval: 10 });
    await log.append([event('1')]);
    await until('the other follows', () => other.tail.head === 1);
  });

  test('follows where transactions are serializable by default', async () => {
    const url = `${server.url}?options=-c%20default_transaction_isolation%3Dserializable`;
    const [log, other] = [await open({ url }), await open({ url })];
    const calls = Array.from({ length: 40 }, (_, i) =>
      (i % 2 === 0 ? log : other).append([event(String(i))]),
    );
    await Promise.all(calls);
    await other.catchUp();
    expect(other.tail.head).toBe(40);
  });
});

async function open(options: PostgresLogOptions): Promise<PostgresLog> {
  const log = await postgresLog({ schema, ...options });
  onTestFinished(() => log.close());
  return log;
}

async function between(server: PostgresServer): Promise<Proxy> {
  const proxy = await startProxy(server.port);
  onTestFinished(() => proxy.stop());
  return proxy;
}

function through({ port }: Proxy): string {
  return `postgres://postgres@127.0.0.1:${port}/postgres`;
}

function event(data: string, more: Partial<EventInput> = {}): NewEvent {
  return toNewEvent({ topics: 'a', data, raw: true, ...more });
}

async function appendUntilDone(log: PostgresLog, data: string): Promise<number> {
  let seq = 0;
  await untilAsync('an append succeeds', async () => {
    seq = (await log.append([event(data)]).catch(() => [{ seq: 0 }]))[0]?.seq ?? 0;
    return seq > 0;
  });
  return seq;
}

function standing(log: PostgresLog, epoch: string, seq: number): ReturnType<typeof locate> {
  const { tail, lineage } = log;
  return locate({ epoch, seq }, { epoch: tail.epoch, head: tail.head, lineage });
}

function waiting(server: PostgresServer): Promise<readonly Record<string, unknown>[]> {
  return server.query(
    `SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%append(%'`,
  );
}

function postgres(
  program: string,
  { port }: PostgresServer,
  input: string,
  ...args: readonly string[]
): string {
  const to = [
    '--host',
    '127.0.0.1',
    '--port',
    String(port),
    '--username',
    'postgres',
    '--dbname',
    'postgres',
  ];
  const { status, stdout, stderr } = spawnSync(program, [...to, ...args], { input, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} failed: ${stderr}`);
  return stdout;
}

/** With owners and times. */
function copy(from: string, to: string): void {
  const { status } = spawnSync('cp', ['-a', from, to]);
  if (status !== 0) throw new Error(`cp failed with ${status}`);
}
