import { createLogError, invalidOption } from '../../log/index.ts';
import type { Database, Run } from './database.ts';
import { FUNCTIONS } from './functions.ts';
import { TABLES, VERSION_2 } from './tables.ts';

/** Raised when the tables or functions change, each time with a step in `STEPS`. */
const VERSION = 5;
/** Each brings a schema from the version before to its own. Functions are replaced as a whole, from version 3 on nothing else. */
const STEPS: readonly string[] = [TABLES, VERSION_2, '', '', ''];

export interface PostgresMigrationsOptions {
  /** The schema for the log's tables and functions. Default `tidings`. */
  readonly schema?: string;
  /** The version that the schema has. Default 0: there is none yet. */
  readonly from?: number;
}

/**
 * The SQL that makes a log's tables and functions, for roles that may not create them, or for a migration tool of your
 * own. Run it in one transaction.
 *
 * @throws {TidingsError} `hub/invalid-option`.
 */
export function postgresMigrations({ schema = 'tidings', from = 0 }: PostgresMigrationsOptions = {}): string {
  const name = quoteSchema(schema);
  const steps = [
    from === 0 ? `CREATE SCHEMA IF NOT EXISTS ${name};` : '',
    ...STEPS.slice(from),
    FUNCTIONS,
    `DELETE FROM SCHEMA.format;\nINSERT INTO SCHEMA.format (version) VALUES (${VERSION});`,
  ];
  return `${inSchema(name, steps.join('\n')).trim()}\n`;
}

/** @throws {TidingsError} `hub/invalid-option`. */
export function quoteSchema(schema: string): string {
  if (/^[A-Za-z_][\w-]{0,49}$/.test(schema)) return `"${schema}"`;
  const message =
    'Expected `schema` to be 1 to 50 letters, digits, "_" and "-", of which the first is no digit.';
  throw invalidOption('schema', message);
}

export function inSchema(name: string, sql: string): string {
  return sql.replaceAll('SCHEMA.', `${name}.`);
}

/** Brings the schema to this version. Of several processes, one does so, and the others wait. */
export async function migrate(database: Database, schema: string, mayMigrate: boolean): Promise<void> {
  if ((await versionOf(database.run, schema)) === VERSION) return;
  if (!mayMigrate) throw notMigrated(schema);
  try {
    await database.transaction(async (run) => {
      await run('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`tidings ${schema}`]);
      const from = await versionOf(run, schema);
      if (from < VERSION) await run(postgresMigrations({ schema, from }));
    });
  } catch (cause) {
    // insufficient_privilege
    if ((cause as { code?: unknown }).code === '42501') throw notMigrated(schema, cause);
    throw cause;
  }
}

/** @throws {TidingsError} `log/unavailable` if a newer version of this package has changed the schema. */
async function versionOf(run: Run, schema: string): Promise<number> {
  const name = quoteSchema(schema);
  // The catalog itself: `to_regclass` may answer from a cache of before another process's migration.
  const found = await run(
    `SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relname = 'format'`,
    [schema],
  );
  if (found.length === 0) return 0;
  const [[version] = []] = await run(`SELECT version::text FROM ${name}.format`);
  if (Number(version ?? 0) <= VERSION) return Number(version ?? 0);
  const message = `The log in schema ${name} has version ${version}; this package knows version ${VERSION}.`;
  throw createLogError('log/unavailable', message, { details: { schema, version } });
}

function notMigrated(schema: string, cause?: unknown): Error {
  const message =
    `The schema "${schema}" is not there, or not of this version, and this role may not change it. ` +
    'Run the SQL that `postgresMigrations()` returns with a role that may.';
  return createLogError('log/unavailable', message, { details: { schema }, cause });
}
