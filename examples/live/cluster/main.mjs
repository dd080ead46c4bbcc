// The live app on two nodes, behind one address: `npm run cluster`. Each part of the drawing in README.md is a process.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { hasPostgres, hasRedis, startPostgres, startRedis } from './engines.mjs';
import { startProxy } from './proxy.mjs';

const app = fileURLToPath(new URL('../dist/server/main.js', import.meta.url));
const NAMES = ['one', 'two', 'three', 'four'];
/** The log level from which on a node's lines are shown. */
const WARNING = 40;

const say = (/** @type {string} */ line) => void process.stdout.write(`${line}\n`);

/** @returns {{ readonly nodes: number, readonly log: 'redis' | 'postgres', readonly port: number, readonly restartAfter: number }} */
function readArguments() {
  const { values } = parseArgs({
    options: {
      nodes: { type: 'string', default: '2' },
      log: {
        type: 'string',
        default: process.env['EVENT_LOG_URL']?.split(':')[0] ?? (hasRedis ? 'redis' : 'postgres'),
      },
      port: { type: 'string', default: process.env['PORT'] || '3000' },
      // Time to see how the others go on without it.
      'restart-after': { type: 'string', default: '10' },
    },
  });
  const [nodes, port] = [Number(values.nodes), Number(values.port)];
  if (!Number.isInteger(nodes) || nodes < 1 || nodes > NAMES.length)
    throw new Error(`--nodes: from 1 to ${NAMES.length}.`);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new Error('--port: from 0 to 65535.');
  const log = values.log === 'postgresql' ? 'postgres' : values.log;
  if (log !== 'redis' && log !== 'postgres') throw new Error('--log: redis or postgres.');
  const restartAfter = Number(values['restart-after']);
  if (!(restartAfter >= 0)) throw new Error('--restart-after: seconds.');
  return { nodes, log, port, restartAfter };
}

/** A line of a node's log; of anything else, such as a stack, it is worth a look. @param {string} line @returns {{ msg?: string, url?: string, level: number }} */
function parseLine(line) {
  try {
    return /** @type {{ level: number }} */ (JSON.parse(line));
  } catch {
    return { level: WARNING };
  }
}

/** By the name of a node that is gone: starts it again. @type {Map<string, () => void>} */
const gone = new Map();

/** Everything that runs, to be stopped in the opposite order. @type {(() => Promise<void> | void)[]} */
const running = [];
let stopping = false;

/** The addresses of the database and the log: those given, or those of engines that are started. @param {'redis' | 'postgres'} log */
async function openEngines(log) {
  const { DATABASE_URL, EVENT_LOG_URL } = process.env;
  const needsPostgres = !DATABASE_URL;
  const needsRedis = log === 'redis' && !EVENT_LOG_URL;
  if (needsPostgres && !hasPostgres)
    throw new Error('There is no PostgreSQL here: install it, or give its DATABASE_URL.');
  if (needsRedis && !hasRedis)
    throw new Error('There is no Redis here: install it, give its EVENT_LOG_URL, or use --log postgres.');
  let databaseUrl = DATABASE_URL ?? '';
  if (needsPostgres) {
    const engine = await startPostgres();
    running.push(engine.stop);
    databaseUrl = engine.url;
  }
  let logUrl = EVENT_LOG_URL || databaseUrl;
  if (needsRedis) {
    const engine = await startRedis();
    running.push(engine.stop);
    logUrl = engine.url;
  }
  return { DATABASE_URL: databaseUrl, EVENT_LOG: log, EVENT_LOG_URL: logUrl };
}

/**
 * Keeps a node up until the end.
 *
 * @param {string} name
 * @param {Record<string, string>} settings
 * @param {number} restartAfter seconds
 * @param {(port: number | undefined) => void} moved called with its port when it serves, and without one when it is gone
 */
function keepUp(name, settings, restartAfter, moved) {
  /** @type {import('node:child_process').ChildProcess} */
  let child;
  /** @type {NodeJS.Timeout | undefined} */
  let restart;

  function start() {
    clearTimeout(restart);
    gone.delete(name);
    child = spawn(process.execPath, ['--enable-source-maps', app], {
      env: { ...process.env, PORT: '0', HOST: '127.0.0.1', NODE_NAME: name, LOG_LEVEL: 'info', ...settings },
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    });
    createInterface(/** @type {import('node:stream').Readable} */ (child.stdout)).on('line', (line) => {
      const { msg, url, level } = parseLine(line);
      if (level >= WARNING) say(`${name}: ${line}`);
      if (msg !== 'serving' || url === undefined) return;
      say(`Node ${name} serves. To kill it: kill -9 ${child.pid}`);
      moved(Number(new URL(url).port));
    });
    child.once('exit', (code, signal) => {
      moved(undefined);
      if (stopping) return;
      say(`Node ${name} is gone (${signal ?? code}). It comes back in ${restartAfter} seconds.`);
      restart = setTimeout(start, restartAfter * 1000);
      gone.set(name, start);
    });
  }

  start();
  running.push(async () => {
    clearTimeout(restart);
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill('SIGTERM');
    await exit;
  });
}

async function main() {
  const { nodes, log, port, restartAfter } = readArguments();
  const folder = mkdtempSync(join(tmpdir(), 'tidings-cluster-'));
  running.push(() => rmSync(folder, { recursive: true, force: true }));
  const engines = await openEngines(log);
  // One for all nodes, or a session of one would mean nothing to the others.
  const SESSION_SECRET = process.env['SESSION_SECRET'] || randomBytes(32).toString('base64url');
  /** @type {Map<string, number>} */
  const ports = new Map();
  const proxy = await startProxy(port, () => [...ports.values()]);
  running.push(proxy.close);

  let announced = false;
  for (const name of NAMES.slice(0, nodes)) {
    const settings = { ...engines, SESSION_SECRET, DATABASE_FILE: join(folder, name, 'unused.sqlite') };
    keepUp(name, settings, restartAfter, (at) => {
      if (at === undefined) ports.delete(name);
      else ports.set(name, at);
      if (announced || ports.size < nodes) return;
      announced = true;
      say(`\n${nodes} nodes on ${log === 'redis' ? 'Redis' : 'PostgreSQL'}: ${proxy.url}\n`);
    });
  }
}

async function stop() {
  if (stopping) return;
  stopping = true;
  // A part that is just starting has to be stopped, too.
  await starting.catch(() => undefined);
  for (const end of running.splice(0).toReversed()) await end();
}

for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) {
  process.once(signal, () => {
    process.once(signal, () => process.exit(1));
    stop().then(
      () => process.exit(0),
      (/** @type {unknown} */ error) => {
        console.error(error);
        process.exit(1);
      },
    );
  });
}
// Brings nodes that are gone back at once.
process.on('SIGUSR2', () => {
  if (!stopping) for (const start of [...gone.values()]) start();
});
const starting = main();
starting.catch(async (/** @type {unknown} */ error) => {
  console.error(error instanceof Error ? error.message : error);
  await stop();
  process.exit(1);
});
