import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Kysely, Migrator, PostgresAdapter, PostgresDialect, SqliteDialect, sql } from 'kysely';
import SqliteFile from 'libsql';
import pg from 'pg';
import { migrationProvider } from './migrations/index.ts';
import type { Database, Schema } from './schema.ts';

/** A database in a file, made if it is missing, or a PostgreSQL that several processes may share. */
export type DatabaseLocation = { readonly file: string } | { readonly url: string };

/** Opens the database and brings its tables up to date. `onError` gets errors of connections that nobody uses. */
export async function openDatabase(
  where: DatabaseLocation,
  onError: (error: Error) => void = () => undefined,
): Promise<Database> {
  const isFile = 'file' in where;
  try {
    return await openMigrated(isFile ? await openFile(where.file) : openServer(where.url, onError));
  } catch (error) {
    // A URL may hold a password.
    const name = isFile ? where.file : `at ${new URL(where.url).host}`;
    throw new Error(`Cannot open the database ${name}.`, { cause: error });
  }
}

async function openFile(file: string): Promise<SqliteDialect> {
  await mkdir(dirname(file), { recursive: true });
  const sqlite = new SqliteFile(file);
  sqlite.pragma('journal_mode = WAL');
  // With NORMAL, a power failure could still lose a commit. A change answered with 201 has to be on the disk.
  sqlite.pragma('synchronous = FULL');
  sqlite.pragma('foreign_keys = ON');
  sqlite.pragma('busy_timeout = 5000');
  return new SqliteDialect({ database: sqlite });
}

function openServer(url: string, onError: (error: Error) => void): PostgresDialect {
  const pool = new pg.Pool({ connectionString: url, max: 8, types: { getTypeParser } });
  pool.on('error', onError);
  return new PostgresDialect({ pool });
}

/** Times and counts are numbers here; pg reads `bigint` as text, since it may be larger than any of them ever is. */
function getTypeParser(...type: Parameters<typeof pg.types.getTypeParser>): (value: string) => unknown {
  if (type[0] === pg.types.builtins.INT8) return Number;
  return pg.types.getTypeParser(...type) as (value: string) => unknown;
}

async function openMigrated(dialect: SqliteDialect | PostgresDialect): Promise<Database> {
  const db: Database = new Kysely<Schema>({ dialect });
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

/** Any number that nothing else in this database locks. */
const LOCK = 7_484_731;

/**
 * Makes this transaction wait for those of other processes that called this before: all are one after the other, from
 * here to their commit. SQLite's are anyway.
 */
export async function takeTurns(transaction: Database): Promise<void> {
  if (!(transaction.getExecutor().adapter instanceof PostgresAdapter)) return;
  await sql`select pg_advisory_xact_lock(${LOCK})`.execute(transaction);
}

/** Whether a write failed because a row with the same unique value is there already. */
export function isUniqueViolation(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return code === 'SQLITE_CONSTRAINT_UNIQUE' || code === '23505';
}
