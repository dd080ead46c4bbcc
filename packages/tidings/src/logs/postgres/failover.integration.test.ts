import { type TestContext, afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type PostgresServer,
  hasPostgres,
  startPostgres,
  startStandby,
} from '../../../test/engines/postgres.ts';
import { type Proxy, startProxy } from '../../../test/engines/proxy.ts';
import { until, untilAsync } from '../../../test/http/deadline.ts';
import { type Hub, createHub } from '../../index.ts';
import { locate } from '../../log/lineage.ts';
import { type NewEvent, toNewEvent } from '../../protocol/event.ts';
import { type PostgresLog, type PostgresLogOptions, postgresLog } from './index.ts';

/** Of no test here: commands fail at once where the network does. */
const PATIENCE = 20_000;

type Context = Pick<TestContext, 'onTestFinished'>;

describe.runIf(hasPostgres).concurrent('a PostgreSQL log that fails over to a standby', () => {
  /** Goes on in all tests: a standby that is promoted leaves it for good. */
  let primary: PostgresServer;

  beforeAll(async () => {
    primary = await startPostgres('fsync=off', 'max_wal_senders=10');
  });
  afterAll(() => primary?.stop());

  test('notices that its connections lead to a server that is no longer the primary', async (context) => {
    const proxy = await between(context, primary);
    const schema = 'stuck';
    const log = await open(context, { url: through(proxy), schema });
    await log.append([event('1')]);
    const standby = await standbyOf(context, primary);
    await untilAsync('the standby has it all', () => has(standby, schema, '1'));
    const { epoch } = log.tail;
    // The standby is promoted, while the old primary goes on and the log's connections stay with it.
    await standby.query('SELECT pg_promote()');
    const other = await open(context, { url: standby.url, schema });
    await other.append([event('new')]);
    await log.append([event('lost')]);
    const rewinds: number[] = [];
    log.tail.onRewind((end) => rewinds.push(end));
    // Not before, or a new connection of the log might be faster than the test.
    proxy.target = standby.port;
    await until('it follows the new primary', () => log.tail.epoch === other.tail.epoch);
    await log.catchUp();
    expect(rewinds).toEqual([1]);
    expect(standing(log, epoch, 2)).toEqual({ is: 'rewound', seq: 1 });
    const seq = await appendUntilDone(log, 'newer');
    await other.catchUp();
    expect(other.tail.head).toBe(seq);
    expect(seq).toBe(3);
  });

  test('refuses a standby, also one that has the log, and finds the primary once it is there', async (context) => {
    const schema = 'standby';
    await (await open(context, { url: primary.url, schema })).close();
    const standby = await standbyOf(context, primary);
    for (const options of [{ schema }, { schema: 'absent' }, { schema, migrate: false }]) {
      await expect(postgresLog({ url: standby.url, ...options })).rejects.toMatchObject({
        code: 'log/unavailable',
        message: expect.stringContaining('standby'),
      });
    }
    await standby.query('SELECT pg_promote()');
    const log = await open(context, { url: standby.url, schema });
    await log.append([event('1')]);
  });

  test('tells of the commits that a standby lacks, where replication is asynchronous, those who have seen them', async (context) => {
    const schema = 'asynchronous';
    const proxy = await between(context, primary);
    const url = through(proxy);
    const [writer, hub] = [
      await open(context, { url, schema, timeout: PATIENCE }),
      createHub({ log: await postgresLog({ url, schema, timeout: PATIENCE }), onError: () => {} }),
    ];
    context.onTestFinished(() => hub.close());
    const received = receive(hub);
    const [first] = await writer.append([event('1')]);
    const standby = await standbyOf(context, primary);
    await untilAsync('the standby has it all', () => has(standby, schema, '1'));
    await standby.query(`ALTER SYSTEM SET primary_conninfo = ''`);
    await standby.query('SELECT pg_reload_conf()');
    await untilAsync('replication has ended', async () => {
      const found = await standby.query('SELECT FROM pg_stat_wal_receiver');
      return found.length === 0;
    });
    const [second] = await writer.append([event('2')]);
    await until('the event is received', () => received.includes('2'));
    const { epoch } = writer.tail;
    await standby.query('SELECT pg_promote()');
    proxy.target = standby.port;
    proxy.heal();
    await appendUntilDone(writer, '3');
    await until('the reader goes on', () => received.includes('3'));
    expect(received).toEqual(['1', '2', 'gap', '3']);
    expect(standing(writer, epoch, second?.seq ?? 0).is).toBe('rewound');
    expect(standing(writer, epoch, first?.seq ?? 0)).toEqual({ is: 'known', seq: first?.seq });
  });

  test('loses nothing that was acknowledged, where replication is synchronous', async (context) => {
    const synchronous = await startPostgres('fsync=off', 'synchronous_standby_names=*');
    context.onTestFinished(() => synchronous.stop());
    const standby = await standbyOf(context, synchronous);
    const proxy = await between(context, synchronous);
    const log = await open(context, { url: through(proxy), timeout: PATIENCE });
    const hub = createHub({
      log: await postgresLog({ url: through(proxy), timeout: PATIENCE }),
      onError: () => {},
    });
    context.onTestFinished(() => hub.close());
    const received = receive(hub);
    const { epoch } = log.tail;
    const seqs: number[] = [];
    for (const data of ['1', '2', '3']) seqs.push(...(await log.append([event(data)])).map(({ seq }) => seq));
    await synchronous.kill();
    await standby.query(`ALTER SYSTEM SET synchronous_standby_names = ''`);
    await standby.query('SELECT pg_promote()');
    proxy.target = standby.port;
    await appendUntilDone(log, '4');
    await until('the reader has it all', () => received.includes('4'));
    expect(received).toEqual(['1', '2', '3', '4']);
    expect(log.tail.epoch).not.toBe(epoch);
    for (const seq of seqs) expect(standing(log, epoch, seq)).toEqual({ is: 'known', seq });
  });
});

/** The data of all events of topic `a`, and the gaps. */
function receive(hub: Hub): string[] {
  const received: string[] = [];
  void (async () => {
    for await (const item of hub.subscribe('a')) {
      if (item.kind === 'gap') received.push('gap');
      if (item.kind === 'event') received.push(item.data);
    }
  })();
  return received;
}

async function standbyOf(context: Context, primary: PostgresServer): Promise<PostgresServer> {
  const standby = await startStandby(primary, 'fsync=off', 'hot_standby=on');
  context.onTestFinished(() => standby.stop());
  return standby;
}

function has(server: PostgresServer, schema: string, data: string): Promise<boolean> {
  return server.query(`SELECT FROM ${schema}.events WHERE data = '${data}'`).then(
    (rows) => rows.length === 1,
    () => false,
  );
}

async function open(context: Context, options: PostgresLogOptions): Promise<PostgresLog> {
  const log = await postgresLog({ timeout: PATIENCE, ...options });
  context.onTestFinished(() => log.close());
  return log;
}

async function between(context: Context, server: PostgresServer): Promise<Proxy> {
  const proxy = await startProxy(server.port);
  context.onTestFinished(() => proxy.stop());
  return proxy;
}

function through({ port }: Proxy): string {
  return `postgres://postgres@127.0.0.1:${port}/postgres`;
}

function event(data: string): NewEvent {
  return toNewEvent({ topics: 'a', data, raw: true });
}

async function appendUntilDone(log: PostgresLog, data: string): Promise<number> {
  const wanted = toNewEvent({ topics: 'a', data, raw: true, id: data });
  let seq = 0;
  await untilAsync('an append succeeds', async () => {
    seq = (await log.append([wanted]).catch(() => [{ seq: 0 }]))[0]?.seq ?? 0;
    return seq > 0;
  });
  return seq;
}

function standing(log: PostgresLog, epoch: string, seq: number): ReturnType<typeof locate> {
  const { tail, lineage } = log;
  return locate({ epoch, seq }, { epoch: tail.epoch, head: tail.head, lineage });
}
