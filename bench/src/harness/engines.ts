/** Database servers for logs that several machines share, each with a folder of its own. */
import { spawnSync } from 'node:child_process';
import { chownSync, existsSync, readdirSync, realpathSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { launch, until } from './child.ts';
import { makeFolder, removeFolder } from './folders.ts';
import { freePort } from './free-port.ts';

export interface Engine {
  readonly pid: number;
  readonly url: string;
  stop(): Promise<void>;
}

export const hasRedis: boolean = spawnSync('redis-server', ['--version']).status === 0;
const postgresFolder = findPostgres();
export const hasPostgres: boolean = postgresFolder !== undefined;

/** Writes its append-only file every second, as Redis does by default where it is on. */
export function startRedis(): Promise<Engine> {
  return start((port, folder) => ({
    command: ['redis-server', '--port', `${port}`, '--dir', folder, '--save', '', '--appendonly', 'yes'],
    url: `redis://127.0.0.1:${port}`,
  }));
}

/** With PostgreSQL's defaults: each commit waits for the disk. */
export function startPostgres(...settings: readonly string[]): Promise<Engine> {
  return start((port, folder) => {
    const data = join(folder, 'data');
    const own = ownerOf(folder);
    const [command = '', ...args] = own([
      program('initdb'),
      '-D',
      data,
      '-U',
      'postgres',
      '-A',
      'trust',
      '-E',
      'UTF8',
    ]);
    const { status, stderr } = spawnSync(command, args, { encoding: 'utf8', cwd: '/' });
    if (status !== 0) throw new Error(`initdb failed: ${stderr}`);
    const options = [`port=${port}`, 'listen_addresses=127.0.0.1', 'unix_socket_directories=', ...settings];
    return {
      command: own([program('postgres'), '-D', data, ...options.flatMap((option) => ['-c', option])]),
      url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    };
  });
}

async function start(
  prepare: (port: number, folder: string) => { readonly command: readonly string[]; readonly url: string },
): Promise<Engine> {
  const folder = makeFolder();
  const port = await freePort();
  const { command, url } = prepare(port, folder);
  const child = launch({ name: 'engine', command: command as [string, ...string[]], core: 'both' });
  await until('the engine listens', () => {
    child.assertRunning();
    return isListening(port);
  });
  return {
    pid: child.pid,
    url,
    async stop() {
      await child.stop();
      removeFolder(folder);
    },
  };
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

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
