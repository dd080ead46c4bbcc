import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Kysely, Migrator, SqliteDialect } from 'kysely';
import SqliteFile from 'libsql';
import { migrationProvider } from './migrations/index.ts';
import type { Database, Schema } from './schema.ts';

/** Opens the database in this file, made if it is missing, and brings its tables up to date. */
export async function openDatabase(file: string): Promise<Database> {
  try {
    await mkdir(dirname(file), { recursive: true });
    return await openMigrated(file);
  } catch (error) {
    throw new Error(`Cannot open the database ${file}.`, { cause: error });
  }
}

async function openMigrated(file: string): Promise<Database> {
  const sqlite = new SqliteFile(file);
  sqlite.pragma('journal_mode = WAL');
  // With NORMAL, a power failure could still lose a commit. A change answered with 201 has to be on the disk.
  sqlite.pragma('synchronous = FULL');
  sqlite.pragma('foreign_keys = ON');
  sqlite.pragma('busy_timeout = 5000');

  const db: Database = new Kysely<Schema>({ dialect: new SqliteDialect({ database: sqlite }) });
  try {
    await migrate(db);
  } catch (error) {
    await db.destroy();
    throw error;
  }
  return db;
}

async function migrate(db: Database): Promise<void> {
  const migrator = new Migrator({ db, provider: migrationProvider });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) throw new Error('A migration failed.', { cause: error });
}

/** Whether a write failed because a row with the same unique value is there already. */
export function isUniqueViolation(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === 'SQLITE_CONSTRAINT_UNIQUE';
}
