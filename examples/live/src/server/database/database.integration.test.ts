import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Kysely, Migrator, SqliteDialect, sql } from 'kysely';
import type { MigrationProvider } from 'kysely';
import SqliteFile from 'libsql';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { temporaryFolder } from '../testing/server.ts';
import { migrationProvider } from './migrations/index.ts';
import { isUniqueViolation, openDatabase } from './open.ts';

let folder: string;
let removeFolder: () => Promise<void>;
beforeEach(async () => {
  ({ folder, remove: removeFolder } = await temporaryFolder());
});
afterEach(() => removeFolder());

test('commits wait for the disk, readers do not wait for writers, references are kept', async () => {
  const db = await openDatabase({ file: join(folder, 'live.sqlite') });
  const read = async (pragma: string): Promise<unknown> => {
    const { rows } = await sql.raw<Record<string, unknown>>(`pragma ${pragma}`).execute(db);
    return Object.values(rows[0] ?? {})[0];
  };
  const FULL = 2;
  expect(await read('synchronous')).toBe(FULL);
  expect(await read('journal_mode')).toBe('wal');
  expect(await read('foreign_keys')).toBe(1);
  await db.destroy();
});

test('opening it again finds what was saved, and migrates nothing twice', async () => {
  const file = join(folder, 'a/b/live.sqlite');
  const user = { name: 'ann', name_key: 'ann', password: 'x', created_at: 1 };
  const first = await openDatabase({ file });
  await first.insertInto('users').values(user).execute();
  await first.destroy();
  const second = await openDatabase({ file });
  expect(await second.selectFrom('users').select('name').execute()).toEqual([{ name: 'ann' }]);
  await second.destroy();
});

test('a duplicate value is distinguished from other failures', async () => {
  const db = await openDatabase({ file: join(folder, 'live.sqlite') });
  const user = { name: 'ann', name_key: 'ann', password: 'x', created_at: 1 };
  await db.insertInto('users').values(user).execute();
  const twice = await db
    .insertInto('users')
    .values(user)
    .execute()
    .catch((error: unknown) => error);
  expect(isUniqueViolation(twice)).toBe(true);
  const orphan = { author_id: 99, text: 'x', created_at: 1, likes: 0, key: null };
  const failed = await db
    .insertInto('posts')
    .values(orphan)
    .execute()
    .catch((error: unknown) => error);
  expect(failed).toBeInstanceOf(Error);
  expect(isUniqueViolation(failed)).toBe(false);
  await db.destroy();
});

test('a database of the previous release keeps its users, posts, likes and counts', async () => {
  const file = join(folder, 'live.sqlite');
  const day = 86_400_000;
  const now = Math.floor(Date.now() / day) * day;
  const old = new Kysely<Record<string, never>>({
    dialect: new SqliteDialect({ database: new SqliteFile(file) }),
  });
  const provider: MigrationProvider = {
    getMigrations: async () =>
      Object.fromEntries(Object.entries(await migrationProvider.getMigrations()).slice(0, 2)),
  };
  expect((await new Migrator({ db: old, provider }).migrateToLatest()).error).toBeUndefined();
  const statements = [
    `insert into users values (1, 'ann', 'ann', 'x', 1), (2, 'bob', 'bob', 'x', 1)`,
    `insert into posts values (1, 1, 'hello', 1, 2, null), (2, 1, 'later', 1, 0, null)`,
    `insert into likes values (1, 1), (1, 2)`,
    `insert into notifications
       with recursive n(i) as (select 1 union all select i + 1 from n where i < 600)
       select i, 1, 2, 1, 1, 0 from n`,
    `insert into pages values (1, '/feed', 4), (2, '/quiet', 1)`,
    `insert into page_views values
       ('a', 1, ${now - 2 * day}), ('b', 1, ${now}), ('c', 1, ${now + 59_999}), ('d', 1, ${now + 60_000}), ('e', 2, ${now})`,
  ];
  for (const statement of statements) await sql.raw(statement).execute(old);
  await old.destroy();

  const db = await openDatabase({ file });
  expect(await db.selectFrom('posts').select(['text', 'likes']).execute()).toEqual([
    { text: 'hello', likes: 2 },
    { text: 'later', likes: 0 },
  ]);
  expect(await db.selectFrom('likes').selectAll().execute()).toHaveLength(2);
  expect(await db.selectFrom('page_view_minutes').selectAll().orderBy('at').execute()).toEqual([
    { at: now - 2 * day, views: 1 },
    { at: now, views: 3 },
    { at: now + 60_000, views: 1 },
  ]);
  const counted = await db.selectFrom('counted_views').select('id').orderBy('id').execute();
  expect(counted.map(({ id }) => id)).toEqual(['b', 'c', 'd', 'e']);
  const pages = await db.selectFrom('pages').select(['name', 'views']).orderBy('rank', 'desc').execute();
  expect(pages).toEqual([
    { name: '/feed', views: 4 },
    { name: '/quiet', views: 1 },
  ]);
  const kept = await db.selectFrom('notifications').select('id').orderBy('id').execute();
  expect([kept.length, kept[0]?.id]).toEqual([500, 101]);
  await db.destroy();
});

test('a file that is not a database is refused by name', async () => {
  const file = join(folder, 'live.sqlite');
  await writeFile(file, 'This is a letter, not a database.'.repeat(100));
  await expect(openDatabase({ file })).rejects.toThrow(/live\.sqlite/);
});
