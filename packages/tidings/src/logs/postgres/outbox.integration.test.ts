import { randomBytes } from 'node:crypto';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { drizzle } from 'drizzle-orm/node-postgres';
import { sql } from 'drizzle-orm';
import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { DEADLINE } from '../../../../../scripts/deadline.ts';
import { type PostgresServer, hasPostgres, startPostgres } from '../../../test/engines/postgres.ts';
import { until, untilAsync } from '../../../test/http/deadline.ts';
import type { LogEntry } from '../../log/index.ts';
import { createMatcherSet } from '../../protocol/matcher-set.ts';
import { type AppTransaction, type PostgresLog, type PostgresLogOptions, postgresLog } from './index.ts';

const ALL = createMatcherSet([{ pattern: '*' }]);

describe.runIf(hasPostgres)('publishing in a transaction of the app', () => {
  let server: PostgresServer;
  let pool: pg.Pool;

  beforeAll(async () => {
    server = await startPostgres('fsync=off');
    pool = new pg.Pool({ connectionString: server.url });
    pool.on('error', () => {});
    await pool.query('CREATE TABLE orders (name text NOT NULL)');
  });
  beforeEach(async () => {
    await pool.query('DROP SCHEMA IF EXISTS tidings CASCADE; TRUNCATE orders');
  });
  afterAll(async () => {
    await pool?.end();
    await server?.stop();
  });

  async function open(options: PostgresLogOptions = { pool }): Promise<PostgresLog> {
    const log = await postgresLog(options);
    onTestFinished(() => log.close());
    return log;
  }

  async function inTransaction(work: (client: pg.PoolClient) => Promise<void>): Promise<void> {
    const client = await pool.connect();
    try {
      await client.query('BEGIN');
      await work(client);
      await client.query('COMMIT');
    } catch (error) {
      await client.query('ROLLBACK');
      throw error;
    } finally {
      client.release();
    }
  }

  test('brings events into the log once it commits, and to every process', async () => {
    const [log, other] = [await open(), await open({ url: server.url })];
    const order = { id: 1 };
    await inTransaction(async (client) => {
      await client.query(`INSERT INTO orders VALUES ('one')`);
      await log.publishIn(client, { topics: ['orders', 'all'], data: order, id: 'x', type: 'placed' });
      expect((await log.read({ after: 0, matchers: ALL, wants: () => true, limit })).entries).toEqual([]);
    });
    await until('both have it', () => log.tail.head === 1 && other.tail.head === 1);
    const [entry] = await all(other);
    expect(entry).toMatchObject({
      topics: ['orders', 'all'],
      data: '{"id":1}',
      id: 'x',
      type: 'placed',
      private: false,
    });
    // The id is the event's, as with `publish`.
    const [again] = await log.append([{ ...(entry as LogEntry), data: 'again' }]);
    expect(again).toEqual({ seq: 1, duplicate: true });
  });

  test('publishes nothing if the transaction rolls back', async () => {
    const log = await open();
    const failing = inTransaction(async (client) => {
      await log.publishIn(client, { topics: 'orders', data: 1 });
      throw new Error('no stock');
    });
    await expect(failing).rejects.toThrow('no stock');
    await inTransaction((client) => log.publishIn(client, { topics: 'orders', data: 2 }));
    await until('the other is there', () => log.tail.head === 1);
    expect(await all(log)).toMatchObject([{ data: '2' }]);
  });

  test('checks the events at the call', async () => {
    const log = await open();
    await inTransaction(async (client) => {
      const published = log.publishIn(client, { topics: 'presence/x', data: 1 });
      await expect(published).rejects.toMatchObject({ code: 'topic/reserved' });
      const wrong = { topics: 'a', data: 1, privat: true };
      await expect(log.publishIn(client, wrong)).rejects.toMatchObject({ code: 'event/invalid-option' });
      for (const more of [{ ttl: 10 }, { ifSeq: 1 }, { ifAbsent: true }]) {
        const given = { topics: 'a', key: 'k', data: 1, ...more };
        await expect(log.publishIn(client, given)).rejects.toMatchObject({ code: 'event/invalid-option' });
      }
    });
  });

  test('holds up no events by a transaction that takes long', async () => {
    const log = await open();
    const slow = await pool.connect();
    await slow.query('BEGIN');
    await log.publishIn(slow, [
      { topics: 'a', data: 'slow 1' },
      { topics: 'a', data: 'slow 2' },
    ]);
    await inTransaction((client) => log.publishIn(client, { topics: 'a', data: 'quick' }));
    await until('the quick one is there', () => log.tail.head === 1);
    await slow.query('COMMIT');
    slow.release();
    await until('all are there', () => log.tail.head === 3);
    expect((await all(log)).map(({ data }) => data)).toEqual(['"quick"', '"slow 1"', '"slow 2"']);
  });

  test('takes transactions of Kysely and Drizzle', async () => {
    const log = await open();
    const kysely = new Kysely<{ orders: { name: string } }>({ dialect: new PostgresDialect({ pool }) });
    await kysely.transaction().execute(async (transaction) => {
      await transaction.insertInto('orders').values({ name: 'kysely' }).execute();
      await log.publishIn(transaction, { topics: 'orders', data: `it's \\ "kysely" \u{1f600}` });
    });
    const db = drizzle(pool);
    await db.transaction(async (transaction) => {
      await transaction.execute(sql`INSERT INTO orders VALUES ('drizzle')`);
      await log.publishIn(transaction, { topics: 'orders', data: `it's \\ "drizzle" \u{1f600}` });
    });
    const undone = db.transaction(async (transaction) => {
      await log.publishIn(transaction, { topics: 'orders', data: 'undone' });
      transaction.rollback();
    });
    await expect(undone).rejects.toThrow();
    await until('both are there', () => log.tail.head === 2);
    expect((await all(log)).map(({ data }) => JSON.parse(data) as unknown)).toEqual([
      `it's \\ "kysely" \u{1f600}`,
      `it's \\ "drizzle" \u{1f600}`,
    ]);
    const { rows } = await pool.query('SELECT name FROM orders ORDER BY name');
    expect(rows).toEqual([{ name: 'drizzle' }, { name: 'kysely' }]);
  });

  test('parks a row that can’t be appended, reports it, and keeps the order of the others', async () => {
    const errors: unknown[] = [];
    const log = await open({ pool, onError: (error) => errors.push(error) });
    const stored = (data: number, more: object = {}): string =>
      JSON.stringify([{ topics: ['a'], data: String(data), tombstone: false, private: false, ...more }]);
    // A text that doesn't compress makes an entry of an index too large.
    const id = randomBytes(9000).toString('hex');
    const rows = [
      '{}',
      stored(1),
      stored(2),
      '[{}]',
      '{',
      stored(3, { id }),
      ...[4, 5, 6].map((i) => stored(i)),
    ];
    await pool.query('INSERT INTO tidings.outbox (events) SELECT unnest($1::text[])', [rows]);
    await until('the others are there', () => log.tail.head === 5);
    expect((await all(log)).map(({ data }) => data)).toEqual(['1', '2', '4', '5', '6']);
    expect(errors).toMatchObject([1, 4, 5, 6].map((row) => ({ code: 'log/write-failed', details: { row } })));
    const parked = await pool.query('SELECT n::int, parked FROM tidings.outbox ORDER BY n');
    expect(parked.rows).toMatchObject([
      { n: 1, parked: expect.stringContaining('no list of events') },
      { n: 4 },
      { n: 5 },
      { n: 6, parked: expect.stringMatching(/index/) },
    ]);
    await pool.query(`UPDATE tidings.outbox SET parked = NULL, events = $1 WHERE n = 6`, [stored(3)]);
    await until('the mended one is there', () => log.tail.head === 6);
    expect((await all(log)).at(-1)?.data).toBe('3');
  });

  test('parks a very large row that can never be appended in time, but no small one that fails for a while', async () => {
    const errors: unknown[] = [];
    // It makes the tables, which may take longer than that.
    await (await open()).close();
    const log = await open({ pool, timeout: 3000, onError: (error) => errors.push(error) });
    await pool.query(`CREATE FUNCTION tidings.slow() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN PERFORM pg_sleep(4); RETURN NEW; END $$;
      CREATE TRIGGER slow BEFORE INSERT ON tidings.events FOR EACH ROW EXECUTE FUNCTION tidings.slow()`);
    await inTransaction((client) => log.publishIn(client, { topics: 'a', data: 'small' }));
    const failed = expect.objectContaining({
      code: 'log/write-failed',
      details: expect.objectContaining({ retryAfter: 5 }),
    });
    await vi.waitFor(() => expect(errors).toContainEqual(failed), { timeout: DEADLINE });
    await pool.query(`DROP TRIGGER slow ON tidings.events;
      CREATE TRIGGER slow BEFORE INSERT ON tidings.events FOR EACH ROW WHEN (length(NEW.data) > 4000000)
      EXECUTE FUNCTION tidings.slow()`);
    await until('the small one is there', () => log.tail.head === 1);
    await pool.query('INSERT INTO tidings.outbox (events) VALUES ($1), ($2)', [
      JSON.stringify([{ topics: ['a'], data: 'x'.repeat(4_100_000), tombstone: false, private: false }]),
      JSON.stringify([{ topics: ['a'], data: '"behind"', tombstone: false, private: false }]),
    ]);
    await until('the one behind it is there', () => log.tail.head === 2);
    expect((await all(log)).map(({ data }) => data)).toEqual(['"small"', '"behind"']);
    expect(errors.at(-1)).toMatchObject({ details: { row: expect.any(Number) } });
  });

  test('refuses what is no transaction', async () => {
    const log = await open();
    const kysely = new Kysely<object>({ dialect: new PostgresDialect({ pool }) });
    for (const wrong of [pool, kysely, drizzle(pool), {}, undefined]) {
      const published = log.publishIn(wrong as AppTransaction, { topics: 'a', data: 1 });
      await expect(published).rejects.toMatchObject({ code: 'hub/invalid-option' });
    }
  });

  test('moves each event once, however many processes do', async () => {
    const logs = await Promise.all([open(), open({ url: server.url }), open({ url: server.url })]);
    const names = Array.from({ length: 200 }, (_, i) => `${i}`);
    await Promise.all(
      logs.map(async (log, worker) => {
        for (const name of names.filter((_, i) => i % 3 === worker))
          await inTransaction((client) => log.publishIn(client, { topics: 'a', data: name, raw: true }));
      }),
    );
    const [log] = logs;
    await until('all are there', () => log.tail.head >= 200);
    const found = (await all(log)).map(({ data }) => Number(data));
    expect(found.toSorted((a, b) => a - b)).toEqual(names.map(Number));
    expect((await pool.query('SELECT FROM tidings.outbox')).rowCount).toBe(0);
  });

  test('has an event for each row and a row for each event, though processes are killed all the time', async () => {
    const kills = Number(process.env['TIDINGS_KILLS'] ?? 8);
    const program = fileURLToPath(new URL('../../../test/faults/orders.mjs', import.meta.url));
    for (let i = 0; i < kills; i += 1) {
      const child: ChildProcess = fork(program, [server.url, String(i)]);
      const early = once(child, 'exit').then(() =>
        Promise.reject(new Error('It ended before it was killed.')),
      );
      early.catch(() => {});
      await Promise.race([once(child, 'message'), early]);
      const before = await countOrders();
      await untilAsync('some were placed', async () => (await countOrders()) > before + 5);
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    // Its own rows are left to the processes that go on.
    const log = await open();
    await untilAsync('the outbox is empty', async () =>
      pool.query('SELECT FROM tidings.outbox').then(({ rowCount }) => rowCount === 0),
    );
    await log.catchUp();
    const rows = (await pool.query<{ name: string }>('SELECT name FROM orders')).rows.map(({ name }) => name);
    const events = (await all(log)).map(({ data }) => data);
    expect(events.toSorted()).toEqual(rows.toSorted());
    expect(events.filter((name) => name.endsWith('7'))).toEqual([]);
    console.log(`${kills} kills: ${rows.length} orders, ${events.length} events, as many as there should be`);
  });

  async function countOrders(): Promise<number> {
    const { rows } = await pool.query<{ count: number }>('SELECT count(*)::int FROM orders');
    return rows[0]?.count ?? 0;
  }
});

const limit = { events: 100_000, length: 1e9 };

async function all(log: PostgresLog): Promise<readonly LogEntry[]> {
  const entries: LogEntry[] = [];
  for (let after = 0; after < log.tail.head;) {
    const page = await log.read({ after, matchers: ALL, wants: () => true, limit });
    entries.push(...page.entries);
    after = page.next;
  }
  return entries;
}
