import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chownSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { freePort } from '../faults/free-port.ts';
import { untilAsync } from '../http/deadline.ts';
import { pgbouncer, postgres } from '../../../../scripts/needs.mjs';

/** A PostgreSQL of the test's own: a process on a free port, with a folder of its own. */
export interface PostgresServer {
  readonly url: string;
  readonly port: number;
  readonly folder: string;
  /** Ends all its processes without giving them a chance to write anything. */
  kill(): Promise<void>;
  /** Shuts it down in order. */
  shutDown(): Promise<void>;
  /** Starts it again on the same port and folder. */
  start(): Promise<void>;
  /** Pauses its processes, which then answer nothing while connections stay open; and lets them go on. */
  pause(): void;
  resume(): void;
  /** Runs a statement as its superuser. */
  query(text: string): Promise<readonly Record<string, unknown>[]>;
  stop(): Promise<void>;
}

const programs = findPrograms();

/** False where there is no PostgreSQL; `scripts/setup.mjs` installs it. */
export const hasPostgres: boolean = programs !== undefined;

/** `settings` such as `fsync=off`. */
export async function startPostgres(...settings: readonly string[]): Promise<PostgresServer> {
  const folder = newFolder();
  run('initdb', [
    '--pgdata',
    folder,
    '--username',
    'postgres',
    '--auth',
    'trust',
    '--encoding',
    'UTF8',
    '--locale',
    'C',
    '--no-sync',
  ]);
  return launch(folder, settings);
}

/** A standby that follows the server. `promote` it by a query. */
export async function startStandby(
  primary: PostgresServer,
  ...settings: readonly string[]
): Promise<PostgresServer> {
  const folder = newFolder();
  const from = ['--host', '127.0.0.1', '--port', String(primary.port), '--username', 'postgres'];
  run('pg_basebackup', [
    ...from,
    '--pgdata',
    folder,
    '--write-recovery-conf',
    '--checkpoint',
    'fast',
    '--no-sync',
  ]);
  return launch(folder, settings);
}

async function launch(folder: string, settings: readonly string[]): Promise<PostgresServer> {
  const port = await freePort();
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  let running = await begin();

  async function begin(): Promise<ChildProcess> {
    const options = [`port=${port}`, 'listen_addresses=127.0.0.1', 'unix_socket_directories=', ...settings];
    const args = ['-D', folder, ...options.flatMap((option) => ['-c', option])];
    const child = spawn(pathOf('postgres'), args, {
      stdio: 'ignore',
      cwd: '/',
      detached: true,
      ...asOwner(),
    });
    await untilAsync('PostgreSQL answers', async () => {
      if (child.exitCode !== null) throw new Error(`postgres ended with ${child.exitCode}`);
      return query('SELECT 1').then(
        () => true,
        () => false,
      );
    });
    return child;
  }

  async function query(text: string): Promise<readonly Record<string, unknown>[]> {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => {});
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(text)).rows;
    } finally {
      await client.end();
    }
  }

  /** Each process of the server is in a group of its own. */
  function signal(name: NodeJS.Signals): void {
    if (running.pid === undefined || running.exitCode !== null || running.signalCode !== null) return;
    for (const pid of [running.pid, ...childrenOf(running.pid)]) {
      try {
        process.kill(pid, name);
      } catch {
        // It has just ended.
      }
    }
  }

  async function end(name: NodeJS.Signals): Promise<void> {
    if (running.exitCode !== null || running.signalCode !== null) return;
    const ended = once(running, 'exit');
    if (name === 'SIGKILL') signal(name);
    else running.kill(name);
    await ended;
    rmSync(join(folder, 'postmaster.pid'), { force: true });
  }

  return {
    url,
    port,
    folder,
    query,
    kill: () => end('SIGKILL'),
    shutDown: () => end('SIGINT'),
    async start() {
      running = await begin();
    },
    pause: () => signal('SIGSTOP'),
    resume: () => signal('SIGCONT'),
    async stop() {
      signal('SIGCONT');
      await end('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** PostgreSQL doesn't run as root. */
function asOwner(): { readonly uid?: number; readonly gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const idOf = (flag: string): number =>
    Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout.trim());
  return { uid: idOf('-u'), gid: idOf('-g') };
}

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tidings-postgres-'));
  const { uid, gid } = asOwner();
  if (uid !== undefined && gid !== undefined) chownSync(folder, uid, gid);
  return folder;
}

function run(program: string, args: readonly string[]): void {
  const { status, stderr } = spawnSync(pathOf(program), args, { encoding: 'utf8', cwd: '/', ...asOwner() });
  if (status !== 0) throw new Error(`${program} failed: ${stderr}`);
}

function childrenOf(pid: number): number[] {
  const file = `/proc/${pid}/task/${pid}/children`;
  const list = existsSync(file)
    ? readFileSync(file, 'utf8')
    : spawnSync('ps', ['-o', 'pid=', '--ppid', String(pid)], { encoding: 'utf8' }).stdout;
  return list
    .split(/\s+/)
    .map(Number)
    .filter((child) => child > 0);
}

function pathOf(program: string): string {
  return programs === undefined ? program : join(programs, program);
}

/** Those of the server are all in one folder. */
function findPrograms(): string | undefined {
  const found = postgres.find();
  return found === undefined ? undefined : dirname(realpathSync(found));
}

/** A pooler that gives a connection to the server for a transaction only. */
export interface Pooler {
  readonly url: string;
  stop(): Promise<void>;
}

export const hasPooler: boolean = pgbouncer.find() !== undefined;

export async function startPooler(server: PostgresServer): Promise<Pooler> {
  const folder = newFolder();
  const port = await freePort();
  const lines = [
    '[databases]',
    `postgres = host=127.0.0.1 port=${server.port} dbname=postgres user=postgres`,
    '[pgbouncer]',
    'listen_addr = 127.0.0.1',
    `listen_port = ${port}`,
    'unix_socket_dir =',
    'auth_type = any',
    'pool_mode = transaction',
    'default_pool_size = 4',
  ];
  writeFileSync(join(folder, 'pgbouncer.ini'), lines.join('\n'));
  const child = spawn(pgbouncer.find() ?? '', [join(folder, 'pgbouncer.ini')], {
    stdio: 'ignore',
    cwd: '/',
    ...asOwner(),
  });
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  await untilAsync('PgBouncer answers', async () => {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => {});
    return client.connect().then(
      () => client.end().then(() => true),
      () => false,
    );
  });
  return {
    url,
    async stop() {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
