import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { temporaryFolder } from '../testing/server.ts';
import { isUniqueViolation, openDatabase } from './open.ts';

let folder: string;
let removeFolder: () => Promise<void>;
beforeEach(async () => {
  ({ folder, remove: removeFolder } = await temporaryFolder());
});
afterEach(() => removeFolder());

test('commits wait for the disk, readers do not wait for writers, references are kept', async () => {
  const db = await openDatabase(join(folder, 'live.sqlite'));
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
  const first = await openDatabase(file);
  await first.insertInto('users').values(user).execute();
  await first.destroy();
  const second = await openDatabase(file);
  expect(await second.selectFrom('users').select('name').execute()).toEqual([{ name: 'ann' }]);
  await second.destroy();
});

test('a value that is there already is told from other failures', async () => {
  const db = await openDatabase(join(folder, 'live.sqlite'));
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

test('a file that is no database is refused, by name', async () => {
  const file = join(folder, 'live.sqlite');
  await writeFile(file, 'This is a letter, not a database.'.repeat(100));
  await expect(openDatabase(file)).rejects.toThrow(/live\.sqlite/);
});
