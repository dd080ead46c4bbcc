// A Redis and a PostgreSQL for the time of one run: on free ports, in folders that go with it.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { postgres, redis } from '../../../scripts/needs.mjs';

/**
 * @typedef {object} Engine
 * @property {string} url
 * @property {() => Promise<void>} stop
 */

/** How long an engine may take to start, on a busy machine. */
const PATIENCE = 60_000;
const STEP = 100;

export const hasRedis = redis.find() !== undefined;
export const hasPostgres = postgres.find() !== undefined;

/** @returns {Promise<Engine>} */
export async function startRedis() {
  const folder = mkdtempSync(join(tmpdir(), 'tidings-cluster-redis-'));
  const port = await freePort();
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', ''];
  const child = spawn(redis.find() ?? '', args, { stdio: 'ignore', detached: true });
  await untilUp('Redis', child, () => answers(port));
  return { url: `redis://127.0.0.1:${port}`, stop: () => stop(child, 'SIGTERM', folder) };
}

/** @returns {Promise<Engine>} */
export async function startPostgres() {
  const folder = mkdtempSync(join(tmpdir(), 'tidings-cluster-postgres-'));
  const owner = asOwner();
  if (owner !== undefined) chownSync(folder, owner.uid, owner.gid);
  // The servers of all versions are off the PATH in Debian; `initdb` is next to `postgres`.
  const programs = dirname(realpathSync(postgres.find() ?? ''));
  const options = { cwd: '/', ...owner };
  const made = spawnSync(
    join(programs, 'initdb'),
    [
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
    ],
    { encoding: 'utf8', ...options },
  );
  if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr}`);
  const port = await freePort();
  const settings = [`port=${port}`, 'listen_addresses=127.0.0.1', 'unix_socket_directories='];
  const args = ['-D', folder, ...settings.flatMap((setting) => ['-c', setting])];
  const child = spawn(join(programs, 'postgres'), args, { stdio: 'ignore', detached: true, ...options });
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  await untilUp('PostgreSQL', child, () => answersQueries(url));
  // SIGINT: it ends the connections that are left, instead of waiting for them.
  return { url, stop: () => stop(child, 'SIGINT', folder) };
}

/** PostgreSQL refuses to run as root. */
function asOwner() {
  if (process.getuid?.() !== 0) return undefined;
  const idOf = (/** @type {string} */ flag) =>
    Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout.trim());
  return { uid: idOf('-u'), gid: idOf('-g') };
}

/**
 * @param {string} name
 * @param {import('node:child_process').ChildProcess} child
 * @param {() => Promise<boolean>} isUp
 */
async function untilUp(name, child, isUp) {
  for (const end = Date.now() + PATIENCE; Date.now() < end; await sleep(STEP)) {
    if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}.`);
    if (await isUp()) return;
  }
  child.kill('SIGKILL');
  throw new Error(`${name} did not start.`);
}

/** @param {number} port @returns {Promise<boolean>} */
function answers(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

/** @param {string} url */
async function answersQueries(url) {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.end();
    return true;
  } catch {
    return false; // It is still starting.
  }
}

/** @param {import('node:child_process').ChildProcess} child @param {NodeJS.Signals} signal @param {string} folder */
async function stop(child, signal, folder) {
  if (child.exitCode === null && child.signalCode === null) {
    const exit = once(child, 'exit');
    child.kill(signal);
    await exit;
  }
  rmSync(folder, { recursive: true, force: true });
}

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
      server.close(() => resolve(port));
    });
  });
}
