import pg from 'pg';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { DEADLINE } from '../../../../../scripts/deadline.ts';
import { type PostgresServer, hasPostgres, startPostgres } from '../../../test/engines/postgres.ts';
import { until, untilAsync } from '../../../test/http/deadline.ts';
import { createMatcherSet } from '../../protocol/matcher-set.ts';
import type { Matcher } from '../../protocol/matcher.ts';
import { type EventInput, type NewEvent, toNewEvent } from '../../protocol/event.ts';
import { inSchema } from './migrations.ts';
import { TABLES } from './tables.ts';
import { type PostgresLog, type PostgresLogOptions, postgresLog, postgresMigrations } from './index.ts';

describe.runIf(hasPostgres)('a PostgreSQL log', () => {
  let server: PostgresServer;
  let schemas = 0;

  beforeAll(async () => {
    server = await startPostgres('fsync=off');
  });
  afterAll(() => server?.stop());

  const newSchema = (): string => `log_${(schemas += 1)}`;

  async function open(options: Partial<PostgresLogOptions> = {}): Promise<PostgresLog> {
    const place = options.pool === undefined ? { url: server.url } : {};
    const log = await postgresLog({ ...place, schema: newSchema(), ...options });
    onTestFinished(() => log.close());
    return log;
  }

  test('refuses options that make no sense', async () => {
    const { url } = server;
    const pool = new pg.Pool({ connectionString: url });
    onTestFinished(() => pool.end());
    for (const wrong of [
      {},
      { url, pool },
      { url, schema: 'a"b' },
      { url, listen: true },
      { url, conections: 3 },
    ]) {
      await expect(postgresLog(wrong as PostgresLogOptions)).rejects.toMatchObject({
        code: 'hub/invalid-option',
      });
    }
    const client = { query: () => {} } as unknown as pg.Pool;
    await expect(postgresLog({ pool: client })).rejects.toMatchObject({ code: 'hub/invalid-option' });
    expect(() => postgresMigrations({ schema: 'a;b' })).toThrow(/letters, digits/);
  });

  test('uses a pool of the app, and leaves it open', async () => {
    const pool = new pg.Pool({ connectionString: server.url, max: 2 });
    onTestFinished(() => pool.end());
    const log = await open({ pool });
    await log.append([event('1')]);
    await log.close();
    expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  });

  test('reads what is new, and not the whole table, while PostgreSQL has no statistics of it', async () => {
    const schema = newSchema();
    const url = `${server.url}?application_name=${schema}`;
    const [writer, follower] = [
      await open({ url, schema }),
      await open({ url, schema, tail: { events: 10 } }),
    ];
    await server.query(`ALTER TABLE ${schema}.events SET (autovacuum_enabled = off)`);
    const limit = { events: 100, length: 100_000 };
    for (let i = 0; i < 10; i += 1) {
      await writer.append(Array.from({ length: 500 }, (_, n) => event(`${i} ${n}`)));
      await follower.catchUp();
      const query = { wants: () => true, matchers: createMatcherSet(['a']), limit };
      await follower.read({ ...query, after: 500 * i });
      await follower.read({ ...query, after: 0, before: 500 * i + 2 });
    }
    await Promise.all([writer.close(), follower.close()]);
    // A session hands in its counts when it ends.
    await untilAsync('all sessions have ended', async () => {
      const left = await server.query(`SELECT FROM pg_stat_activity WHERE application_name = '${schema}'`);
      return left.length === 0;
    });
    const [counts] = await server.query(
      `SELECT seq_tup_read::integer AS read FROM pg_stat_user_tables WHERE schemaname = '${schema}' AND relname = 'events'`,
    );
    expect(counts?.['read']).toBeLessThan(5000);
  });

  test('works with a pool of one connection, and says so in time while the app keeps that to itself', async () => {
    const pool = new pg.Pool({ connectionString: server.url, max: 1 });
    onTestFinished(() => pool.end());
    const schema = newSchema();
    const log = await open({ pool, schema, timeout: 6000, topics: [{ match: 's', state: true }] });
    const other = await open({ schema, topics: [{ match: 's', state: true }] });
    await Promise.all(['1', '2', '3'].map((data) => log.append([event(data)])));
    const client = await pool.connect();
    await client.query('BEGIN');
    await log.publishIn(client, { topics: 'a', data: '4', raw: true });
    const began = performance.now();
    await expect(log.append([event('late')])).rejects.toMatchObject({ code: 'log/unavailable' });
    expect(performance.now() - began).toBeLessThan(DEADLINE);
    await client.query('COMMIT');
    client.release();
    await until('the outbox has been moved', () => other.tail.head === 4);
    await other.append([event('5')]);
    await until('it follows', () => log.tail.head === 5);
    expect((await dataOf(log)).toSorted()).toEqual(['1', '2', '3', '4', '5']);
  });

  test('waits for others where the server ends statements that take long, and has nothing half-way', async () => {
    const schema = newSchema();
    const url = `${server.url}?options=-c%20statement_timeout%3D2000`;
    await (await open({ schema })).close();
    const log = await open({ url, schema, timeout: 20_000 });
    const client = new pg.Client({ connectionString: server.url });
    await client.connect();
    onTestFinished(() => client.end());
    await client.query(`BEGIN; SELECT FROM ${schema}.head FOR UPDATE`);
    const appending = log.append([event('1'), event('2')]);
    await untilAsync('the server has ended a statement', async () => {
      const [{ rollbacks } = {}] = await server.query(
        `SELECT xact_rollback::int AS rollbacks FROM pg_stat_database WHERE datname = 'postgres'`,
      );
      return Number(rollbacks) > 0;
    });
    await client.query('COMMIT');
    expect((await appending).map(({ seq }) => seq)).toEqual([1, 2]);
    expect(await dataOf(log)).toEqual(['1', '2']);
  });

  test('calls the server’s own functions, whatever the search path leads to', async () => {
    const schema = newSchema();
    const evil = `evil_${schema}`;
    await (await open({ schema })).close();
    await server.query(`CREATE SCHEMA ${evil};
      CREATE FUNCTION ${evil}.split_part(text, text, integer) RETURNS text LANGUAGE sql AS $$ SELECT 'evil' $$;
      CREATE FUNCTION ${evil}.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT 'epoch'::timestamptz $$`);
    const url = `${server.url}?options=-c%20search_path%3D${evil},pg_catalog`;
    const topics = [{ match: 's', state: true }];
    const log = await open({ url, schema, tail: { events: 0 }, topics });
    await log.append([event('1', { topics: ['x', 'y'] }), event('2', { topics: 's', key: 'k' })]);
    await log.append([event('3', { topics: 's', key: 'k' })]);
    expect(await dataOf(log)).toEqual(['1', '3']);
    expect(await dataOf(log, ['x'])).toEqual(['1']);
    expect(await dataOf(log, ['s'])).toEqual(['3']);
    const { entries } = await log.read({ after: 0, matchers: ALL, wants: () => true, limit });
    expect(Date.now() - (entries[0]?.time ?? 0)).toBeLessThan(600_000);
  });

  test('appends nothing of a group while the disk is full, and everything afterwards', async () => {
    const schema = newSchema();
    const log = await open({ schema, timeout: 6000 });
    await log.append([event('1')]);
    // As PostgreSQL reports a tablespace without room: https://www.postgresql.org/docs/current/errcodes-appendix.html
    await server.query(`CREATE FUNCTION ${schema}.full() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;
      CREATE TRIGGER full_disk BEFORE INSERT ON ${schema}.events FOR EACH ROW WHEN (NEW.data = 'large')
      EXECUTE FUNCTION ${schema}.full()`);
    await expect(log.append([event('small'), event('large', { id: 'i' })])).rejects.toMatchObject({
      code: 'log/unavailable',
    });
    await log.append([event('2')]);
    await server.query(`DROP TRIGGER full_disk ON ${schema}.events`);
    const [third] = await log.append([event('large', { id: 'i' })]);
    expect(third).toEqual({ seq: 3, duplicate: false });
    expect(await dataOf(log)).toEqual(['1', '2', 'large']);
    expect(log.newestLoss).toBe(0);
  });

  test('forgets processes from a time when the server’s clock was ahead, no later than others', async () => {
    const schema = newSchema();
    await (await open({ schema })).close();
    // As one leaves it that was killed before the clock was set back by an hour.
    await server.query(`INSERT INTO ${schema}.nodes (node, settings, seen)
      VALUES ('killed', 'others', clock_timestamp() + interval '1 hour')`);
    await expect(postgresLog({ url: server.url, schema })).rejects.toMatchObject({ code: 'log/in-use' });
    const [{ ahead } = {}] = await server.query(
      `SELECT extract(epoch FROM seen - clock_timestamp())::float8 AS ahead FROM ${schema}.nodes WHERE node = 'killed'`,
    );
    expect(Number(ahead)).toBeLessThanOrEqual(0);
  });

  test('isn’t disturbed by parsers that the app has set for its own queries', async () => {
    const parser = pg.types.getTypeParser(pg.types.builtins.INT8);
    pg.types.setTypeParser(pg.types.builtins.INT8, () => 'no number');
    onTestFinished(() => pg.types.setTypeParser(pg.types.builtins.INT8, parser));
    const log = await open();
    await log.append([event('1')]);
    expect(log.tail.head).toBe(1);
    expect(await dataOf(log)).toEqual(['1']);
  });

  test('says within its timeout that there is no server', async () => {
    const url = 'postgres://postgres@127.0.0.1:1/postgres';
    await expect(postgresLog({ url, timeout: 3000 })).rejects.toMatchObject({ code: 'log/unavailable' });
  });

  test('works for a role that may create nothing, once the SQL of the migrations was run', async () => {
    const schema = newSchema();
    await server.query(`CREATE ROLE guest_${schema} LOGIN`);
    const url = server.url.replace('postgres@', `guest_${schema}@`);
    await expect(postgresLog({ url, schema })).rejects.toMatchObject({ code: 'log/unavailable' });
    await expect(postgresLog({ url, schema, migrate: false })).rejects.toThrow(/postgresMigrations/);
    await server.query(postgresMigrations({ schema }));
    await server.query(`GRANT USAGE ON SCHEMA ${schema} TO guest_${schema};
      GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${schema} TO guest_${schema}`);
    const log = await open({ url, schema, migrate: false, topics: [{ match: 's', state: true }] });
    await log.append([event('1', { id: 'a' }), event('2', { topics: ['s', 't'], key: 'k' })]);
    await log.append([event('3', { topics: 's', key: 'k' })]);
    expect(await dataOf(log)).toEqual(['1', '2', '3']);
  });

  test('makes its tables once, however many processes start together', async () => {
    const schema = newSchema();
    const logs = await Promise.all(Array.from({ length: 6 }, () => open({ schema })));
    await Promise.all(logs.map((log, i) => log.append([event(`${i}`)])));
    expect(new Set(logs.map(({ tail }) => tail.epoch)).size).toBe(1);
  });

  test('brings a schema of the first version along, where losses of private events were not counted apart', async () => {
    const schema = newSchema();
    await server.query(`CREATE SCHEMA ${schema}; ${inSchema(schema, TABLES)}`);
    await server.query(`INSERT INTO ${schema}.format VALUES (1);
      INSERT INTO ${schema}.head (head, trimmed_to, floor, newest_loss, loss_count, loss_records) VALUES (9, 9, 9, 5, 2, 1);
      INSERT INTO ${schema}.view VALUES (pg_current_xact_id()::xid);
      INSERT INTO ${schema}.losses VALUES ('a', 5, 2)`);
    const log = await open({ schema, retention: { events: 1 } });
    await log.append([event('1', { topics: 'a', private: true }), event('2', { topics: 'b' })]);
    const wanted = createMatcherSet(['a', 'c', { pattern: 'a*' }]);
    const seqs = async (publicOnly: boolean): Promise<number[]> =>
      (await log.losses(0, wanted, publicOnly)).map(({ seq }) => seq);
    expect(await seqs(true)).toEqual([5, 5]);
    expect(await seqs(false)).toEqual([10, 10]);
  });

  test('refuses a schema that a newer version has changed', async () => {
    const schema = newSchema();
    await (await open({ schema })).close();
    await server.query(`UPDATE ${schema}.format SET version = 99`);
    await expect(postgresLog({ url: server.url, schema })).rejects.toMatchObject({
      code: 'log/unavailable',
      details: { version: '99' },
    });
  });

  test('refuses a process with other retention or topics, as long as one with these is there', async () => {
    const schema = newSchema();
    const log = await open({ schema, retention: { events: 10 } });
    const other = { schema, retention: { events: 20 } };
    await expect(postgresLog({ url: server.url, ...other })).rejects.toMatchObject({ code: 'log/in-use' });
    await expect(
      postgresLog({
        url: server.url,
        schema,
        retention: { events: 10 },
        topics: [{ match: 'a', state: true }],
      }),
    ).rejects.toMatchObject({ code: 'log/in-use' });
    await log.close();
    await open(other);
  });

  test('keeps two logs of one database apart', async () => {
    const [one, two] = [await open(), await open()];
    await one.append([event('1', { id: 'x' })]);
    await two.append([event('2', { id: 'x' })]);
    expect([await dataOf(one), await dataOf(two)]).toEqual([['1'], ['2']]);
  });

  test('stores NUL characters, backslashes and quotes in data', async () => {
    const log = await open({ tail: { events: 0 } });
    const texts = ['\u0000', 'a\\0b\u0000c\\\\0', '\\0', '"\'{},', 'null', 'NULL', ''];
    await log.append(texts.map((text) => event(text)));
    expect(await dataOf(log)).toEqual(texts);
  });

  test('finds events of topics longer than an index can hold', async () => {
    const log = await open({
      tail: { events: 0 },
      retention: { events: 3 },
      topics: [{ match: { pattern: 's/*' }, state: true }],
    });
    const long = `long/${'ü'.repeat(1000)}`;
    await log.append([
      event('1', { topics: [long, `${long}x`] }),
      event('2', { topics: `s/${'x'.repeat(1000)}`, key: 'k'.repeat(255) }),
      event('3', { topics: `s/${'x'.repeat(1000)}`, key: 'k'.repeat(255) }),
    ]);
    expect(await dataOf(log, [long])).toEqual(['1']);
    expect(await dataOf(log, [`${long}x`])).toEqual(['1']);
    expect(await dataOf(log, [{ pattern: 'long/:id' }])).toEqual(['1']);
    expect(await dataOf(log, [{ pattern: 's/*' }])).toEqual(['3']);
    await log.append([event('4'), event('5'), event('6'), event('7')]);
    const losses = await log.losses(0, createMatcherSet([long, { pattern: 'long/*' }]));
    expect(losses.map(({ seq }) => seq)).toEqual([1, 1]);
  });

  test('bounds what its memory keeps of the hub’s own tombstones', async () => {
    const log = await open({ tail: { events: 5 } });
    for (let i = 0; i < 20; i += 1) {
      const key = { topics: [`presence/${i}`], key: 'k', id: undefined } as const;
      await log.append([{ ...key, type: 'presence', data: 'null', tombstone: true, private: false }]);
    }
    expect(log.tail.length).toBeLessThanOrEqual(5);
  });

  test('has the server’s time for all processes, whatever their own clocks say', async () => {
    const log = await open();
    await log.append([event('1')]);
    const [{ now } = {}] = await server.query('SELECT extract(epoch FROM now()) * 1000 AS now');
    const { entries } = await log.read({ after: 0, matchers: ALL, wants: () => true, limit });
    expect(Math.abs(Number(now) - (entries[0]?.time ?? 0))).toBeLessThan(60_000);
  });

  test('reads no more of the log than a page may have, however large events are', async () => {
    const log = await open({ tail: { events: 0 } });
    for (let i = 0; i < 20; i += 1) await log.append([event(`${i}`.padEnd(100_000))]);
    const page = await log.read({
      after: 0,
      matchers: ALL,
      wants: () => true,
      limit: { events: 1000, length: 250_000 },
    });
    expect(page.entries).toHaveLength(3);
    expect(page.next).toBe(3);
  });

  test('reads pages without a limit of their length, in both directions', async () => {
    const log = await open({ tail: { events: 0 } });
    await log.append([event('1'), event('2')]);
    const query = { after: 0, matchers: ALL, wants: () => true };
    for (const length of [Infinity, 1e300, 10.5]) {
      const { entries } = await log.read({ ...query, limit: { events: Infinity, length } });
      expect(entries.map(({ data }) => data)).toEqual(['1', '2']);
      const back = await log.read({ ...query, before: 3, limit: { events: Infinity, length, looks: 2.5 } });
      expect(back.entries.map(({ data }) => data)).toEqual(['2', '1']);
    }
  });

  test('notices that somebody has deleted it', async () => {
    const schema = newSchema();
    const log = await open({ schema, timeout: 6000 });
    await log.append([event('1')]);
    await server.query(`DROP SCHEMA ${schema} CASCADE`);
    await expect(log.append([event('2')])).rejects.toMatchObject({ code: 'log/unavailable' });
  });

  test('follows within a few milliseconds of an append, by notifications', async () => {
    const schema = newSchema();
    const [log, other] = [
      await open({ schema, pollInterval: 60_000 }),
      await open({ schema, pollInterval: 60_000 }),
    ];
    for (let i = 1; i <= 50; i += 1) {
      await log.append([event(`${i}`)]);
      await until('it follows', () => other.tail.head === i);
    }
  });
});

const ALL = createMatcherSet([{ pattern: '*' }]);
const limit = { events: 1000, length: 1e9 };

async function dataOf(log: PostgresLog, topics: readonly Matcher[] = [{ pattern: '*' }]): Promise<string[]> {
  const matchers = createMatcherSet(topics);
  const wants = (entry: { readonly topics: readonly string[] }): boolean => matchers.matches(entry.topics);
  const { entries } = await log.read({ after: 0, matchers, wants, limit });
  return entries.map(({ data }) => data);
}

function event(data: string, more: Partial<EventInput> = {}): NewEvent {
  return toNewEvent({ topics: 'a', data, raw: true, ...more });
}
