/** Database servers for logs that several machines share, each with a folder of its own. */
import { spawnSync } from 'node:child_process';
import { chownSync, existsSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { launch, until } from './child.ts';
import { makeFolder, removeFolder } from './folders.ts';
import { freePort, isListening } from './free-port.ts';
import { processesOf } from './usage.ts';

export interface Engine {
  readonly pid: number;
  readonly port: number;
  readonly url: string;
  /** Ends its processes without giving them a chance to write anything. */
  kill(): Promise<void>;
  /** Starts it again on the same port and folder. Resolves once it listens. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

export const hasRedis: boolean = spawnSync('redis-server', ['--version']).status === 0;
const postgresFolder = findPostgres();
export const hasPostgres: boolean = postgresFolder !== undefined;

/** Writes its append-only file every second, as Redis does by default where it is on. */
export function startRedis(...more: readonly string[]): Promise<Engine> {
  return start((port, folder) => ({
    command: [
      'redis-server',
      ...['--port', `${port}`, '--dir', folder, '--save', '', '--appendonly', 'yes'],
      ...more,
    ],
    url: `redis://127.0.0.1:${port}`,
  }));
}

/** With PostgreSQL's defaults: each commit waits for the disk. */
export function startPostgres(...settings: readonly string[]): Promise<Engine> {
  return start((port, folder) => {
    const data = join(folder, 'data');
    run(folder, 'initdb', ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8']);
    return postgresAt(port, folder, settings);
  });
}

/** A copy that follows `primary`. */
export function startStandby(primary: Engine, ...settings: readonly string[]): Promise<Engine> {
  return start((port, folder) => {
    const from = ['-h', '127.0.0.1', '-p', String(primary.port), '-U', 'postgres'];
    run(folder, 'pg_basebackup', [...from, '-D', join(folder, 'data'), '-R', '-c', 'fast', '--no-sync']);
    return postgresAt(port, folder, settings);
  });
}

interface Launch {
  readonly command: readonly string[];
  readonly url: string;
}

function postgresAt(port: number, folder: string, settings: readonly string[]): Launch {
  const options = [`port=${port}`, 'listen_addresses=127.0.0.1', 'unix_socket_directories=', ...settings];
  const own = ownerOf(folder);
  return {
    command: own([
      program('postgres'),
      '-D',
      join(folder, 'data'),
      ...options.flatMap((option) => ['-c', option]),
    ]),
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
  };
}

function run(folder: string, name: string, args: readonly string[]): void {
  const [command = '', ...all] = ownerOf(folder)([program(name), ...args]);
  const { status, stderr } = spawnSync(command, all, { encoding: 'utf8', cwd: '/' });
  if (status !== 0) throw new Error(`${name} failed: ${stderr}`);
}

async function start(prepare: (port: number, folder: string) => Launch): Promise<Engine> {
  const folder = makeFolder();
  const port = await freePort();
  const { command, url } = prepare(port, folder);
  let child: ReturnType<typeof launch>;
  await begin();

  async function begin(): Promise<void> {
    child = launch({ name: 'engine', command: command as [string, ...string[]], core: 'both' });
    await until('the engine listens', () => {
      child.assertRunning();
      return isListening(port);
    });
  }

  async function kill(): Promise<void> {
    for (const pid of processesOf(child.pid)) signal(pid);
    await child.kill();
    // It would look for the process that wrote it.
    rmSync(join(folder, 'data', 'postmaster.pid'), { force: true });
  }

  return {
    get pid() {
      return child.pid;
    },
    port,
    url,
    kill,
    start: begin,
    async stop() {
      await child.stop();
      removeFolder(folder);
    },
  };
}
function signal(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has just ended.
  }
}

/** PostgreSQL doesn't run as root. */
function ownerOf(folder: string): (command: readonly string[]) => readonly string[] {
  if (process.getuid?.() !== 0) return (command) => command;
  const idOf = (flag: string): number =>
    Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout.trim());
  chownSync(folder, idOf('-u'), idOf('-g'));
  return (command) => ['runuser', '-u', 'postgres', '--', ...command];
}

function program(name: string): string {
  return join(postgresFolder ?? '', name);
}

/** Debian keeps each version's programs in a folder outside of the PATH. */
function findPostgres(): string | undefined {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian)
    ? readdirSync(debian)
        .map(Number)
        .sort((a, b) => b - a)
    : [];
  const path = (process.env['PATH'] ?? '').split(':').filter((folder) => existsSync(join(folder, 'initdb')));
  const folders = [...versions.map((version) => `${debian}/${version}/bin`), ...path];
  const found = folders.find((folder) => existsSync(join(folder, 'initdb')));
  return found === undefined ? undefined : realpathSync(found);
}
