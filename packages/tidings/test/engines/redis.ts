import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../http/deadline.ts';
import { freePort } from '../faults/free-port.ts';

/** A Redis of the test's own: a process on a free port, with a folder of its own. */
export interface RedisServer {
  readonly url: string;
  readonly port: number;
  readonly folder: string;
  /** Ends the process without giving it a chance to write anything. */
  kill(): Promise<void>;
  /** Starts it again on the same port and folder. */
  start(): Promise<void>;
  /** Pauses the process, which then answers nothing while its connections stay open; and lets it go on. */
  pause(): void;
  resume(): void;
  stop(): Promise<void>;
}

/** False where there is no Redis; `scripts/setup.mjs` installs it. */
export const hasRedis: boolean = spawnSync('redis-server', ['--version']).status === 0;

export async function startRedis(...args: readonly string[]): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'tidings-redis-'));
  const port = await freePort();
  let running = await launch();

  async function launch(): Promise<ReturnType<typeof spawn>> {
    const given = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '', ...args];
    const child = spawn('redis-server', given, { stdio: 'ignore' });
    let isUp = false;
    await until('Redis listens', () => {
      const socket = connect(port, '127.0.0.1', () => {
        isUp = true;
        socket.destroy();
      });
      socket.on('error', () => {});
      return isUp || child.exitCode !== null;
    });
    if (child.exitCode !== null) throw new Error(`redis-server ended with ${child.exitCode}`);
    return child;
  }

  async function kill(): Promise<void> {
    if (running.exitCode !== null || running.signalCode !== null) return;
    running.kill('SIGKILL');
    await once(running, 'exit');
  }

  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    folder,
    kill,
    async start() {
      running = await launch();
    },
    pause: () => void running.kill('SIGSTOP'),
    resume: () => void running.kill('SIGCONT'),
    async stop() {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
