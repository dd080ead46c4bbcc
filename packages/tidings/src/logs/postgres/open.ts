import { createLogError } from '../../log/index.ts';
import { unavailable } from './database.ts';
import { migrate } from './migrations.ts';
import { type State, type Store, readState } from './store.ts';

/** `server_version_num` of PostgreSQL 14. */
const OLDEST_VERSION = 140_000;
/** Milliseconds between signs of life in the table `nodes`. After 15 seconds without one, a process counts as gone. */
const SIGN_EVERY = 5000;

export interface OpenOptions {
  readonly schema: string;
  readonly mayMigrate: boolean;
  /** The settings that all processes have to agree on, as text. */
  readonly settings: string;
  readonly isRestored: boolean;
}

/** A process that has the log open. */
export interface Registration {
  readonly node: string;
  readonly state: State;
  /** To be called often: gives a sign of life now and then. */
  keepAlive(): Promise<void>;
  /** Gives one now: to a server that doesn't know the process. */
  sign(): Promise<void>;
  end(): Promise<void>;
}

/** @throws {TidingsError} `log/unavailable`, `log/in-use`. */
export async function openLog(store: Store, options: OpenOptions): Promise<Registration> {
  try {
    return await register(store, options);
  } catch (error) {
    throw unavailable(error);
  }
}

async function register(store: Store, options: OpenOptions): Promise<Registration> {
  const { database, run, sql } = store;
  const { schema, mayMigrate, settings, isRestored } = options;
  await assertServer(store);
  await migrate(database, schema, mayMigrate);
  const node = crypto.randomUUID();
  const [[other] = []] = await database.transaction((inTransaction) =>
    inTransaction(sql('SELECT SCHEMA.open($1, $2, $3)'), [node, settings, isRestored]),
  );
  if (other !== null && other !== undefined) {
    const message =
      'Another process uses the log with other `retention` or `topics`. All processes have to give the same ones; ' +
      'one that has ended without closing the log is forgotten after 15 seconds.';
    throw createLogError('log/in-use', message, { details: { schema } });
  }
  const state = await readState(store);
  let signedAt = performance.now();
  const sign = sql(`INSERT INTO SCHEMA.nodes AS n (node, settings, seen) VALUES ($1, $2, clock_timestamp())
    ON CONFLICT (node) DO UPDATE SET seen = clock_timestamp()`);

  async function giveSign(): Promise<void> {
    signedAt = performance.now();
    await run(sign, [node, settings]);
  }

  return {
    node,
    state,
    async keepAlive() {
      if (performance.now() - signedAt >= SIGN_EVERY) await giveSign();
    },
    sign: giveSign,
    async end() {
      await run(sql('DELETE FROM SCHEMA.nodes WHERE node = $1'), [node]).catch(() => {
        // It is forgotten all the same.
      });
    },
  };
}

async function assertServer({ database, run }: Store): Promise<void> {
  const names = ['server_version_num', 'server_encoding', 'default_transaction_isolation'];
  const [row = []] = await run(
    `SELECT ${names.map((name) => `current_setting('${name}')`).join(', ')}, pg_is_in_recovery()::text`,
  );
  const [version, encoding, isolation, isStandby] = row;
  if (Number(version) < OLDEST_VERSION) {
    throw refused(`PostgreSQL has version ${version} (server_version_num); the log needs 14 or newer.`);
  }
  if (encoding !== 'UTF8') throw refused(`The database has the encoding ${encoding}; the log needs UTF8.`);
  if (isStandby === 'true') throw refused('The server is a standby, which takes no writes.');
  // Each statement has to see what was committed before it got its lock.
  database.isolate = isolation !== 'read committed';
}

function refused(message: string): Error {
  return createLogError('log/unavailable', message);
}
