import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll } from 'vitest';
import { freePort } from '../packages/tidings/test/faults/free-port.ts';

const main = fileURLToPath(new URL('../examples/live/dist/server/main.js', import.meta.url));

/** The built live app in a process of its own. It keeps its port and its data over restarts. */
export interface LiveApp {
  readonly url: string;
  start(): Promise<void>;
  /** SIGTERM, and the code it exits with. */
  stop(): Promise<number | null>;
  /** SIGKILL: it gets no chance to say or save anything. */
  kill(): Promise<void>;
}

/** All tests come from one address, and are in more of a hurry than any person. */
const limits = {
  SIGN_IN_PER_MINUTE: '100000',
  POSTS_PER_MINUTE: '100000',
  CHANGES_PER_MINUTE: '100000',
  CONNECTS_PER_MINUTE: '100000',
  CONNECTIONS_PER_ADDRESS: '1000',
  CONNECTIONS_PER_USER: '1000',
};

/** The app for all tests of a file: started before them, ended after them. */
export function useLiveApp(settings: Record<string, string> = {}): LiveApp {
  let child: ChildProcess | undefined;
  let folder = '';
  let port = '';
  let url = '';

  async function start(): Promise<void> {
    if (!existsSync(main)) throw new Error('The live app is not built: run npm run build.');
    child = spawn(process.execPath, ['--enable-source-maps', main], {
      // Without the test runner's environment, which isn't the app's.
      env: {
        PATH: process.env['PATH'],
        HOST: '127.0.0.1',
        PORT: port,
        DATABASE_FILE: join(folder, 'live.sqlite'),
        ...limits,
        ...settings,
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    url = await servingUrl(child);
  }

  async function end(signal: NodeJS.Signals): Promise<number | null> {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return null;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
    return child.exitCode;
  }

  beforeAll(async () => {
    // Should the tests be broken off.
    process.once('exit', () => child?.kill('SIGKILL'));
    folder = await mkdtemp(join(tmpdir(), 'tidings-e2e-'));
    port = String(await freePort());
    await start();
  });
  afterAll(async () => {
    await end('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  });

  return {
    get url() {
      return url;
    },
    start,
    stop: () => end('SIGTERM'),
    async kill() {
      await end('SIGKILL');
    },
  };
}

/** Resolves once the app logs that it serves, and keeps reading, or its log would fill the pipe and stop it. */
function servingUrl(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    const output: string[] = [];
    child.once('exit', () => reject(new Error(`The live app did not start:\n${output.join('\n')}`)));
    if (child.stdout === null) return reject(new Error('The live app has no output.'));
    createInterface(child.stdout).on('line', (line) => {
      const entry = parse(line);
      if (entry.level !== undefined && entry.level >= 50) console.error(line);
      if (entry.msg === 'serving' && entry.url !== undefined) resolve(entry.url);
      output.push(line);
      if (output.length > 50) output.shift();
    });
  });
}

/** A line of pino's. */
function parse(line: string): { level?: number; msg?: string; url?: string } {
  return line.startsWith('{') ? JSON.parse(line) : {};
}
