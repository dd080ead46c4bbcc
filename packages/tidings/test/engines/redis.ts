import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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

export function startRedis(...args: readonly string[]): Promise<RedisServer> {
  return start('redis', (port) => ['--port', String(port), ...args]);
}

/** One that is reached by TLS only. */
export async function startSecureRedis({ key, cert }: Certificate): Promise<RedisServer> {
  return start('rediss', (port, folder) => {
    writeFileSync(join(folder, 'key.pem'), key);
    writeFileSync(join(folder, 'cert.pem'), cert);
    const files = ['--tls-key-file', 'key.pem', '--tls-cert-file', 'cert.pem', '--tls-auth-clients', 'no'];
    return ['--port', '0', '--tls-port', String(port), ...files];
  });
}

interface Certificate {
  readonly key: string;
  readonly cert: string;
}

/** The command of the guide that makes a user for the log. */
export function aclOfGuide(password: string): string[] {
  const guide = readFileSync(new URL('../../../../docs/guides/several-machines.md', import.meta.url), 'utf8');
  const [, command = ''] = /^(ACL SETUSER [^`]+)/m.exec(guide) ?? [];
  return command.replaceAll('\\\n', ' ').replace('PASSWORD', password).trim().split(/\s+/);
}

/** A node of a cluster of its own, without slots. The port of its bus would else be its port and 10,000. */
export async function startClusterNode(): Promise<RedisServer & { readonly busPort: number }> {
  const busPort = await freePort();
  const cluster = ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'];
  const server = await startRedis(
    ...cluster,
    '--cluster-port',
    String(busPort),
    '--cluster-node-timeout',
    '10000',
  );
  return { ...server, busPort };
}

/** A Sentinel that watches the master, by the name `main`, and has it replaced so many milliseconds after it is gone. */
export async function startSentinel(
  master: RedisServer,
  patience: number,
): Promise<{ readonly port: number; stop(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'tidings-sentinel-'));
  const port = await freePort();
  const settings = [
    `port ${port}`,
    'bind 127.0.0.1',
    `dir ${folder}`,
    `sentinel monitor main 127.0.0.1 ${master.port} 1`,
    `sentinel down-after-milliseconds main ${patience}`,
    'sentinel failover-timeout main 3000',
  ];
  writeFileSync(join(folder, 'sentinel.conf'), settings.join('\n'));
  const child = spawn('redis-server', [join(folder, 'sentinel.conf'), '--sentinel'], { stdio: 'ignore' });
  await untilListening(port, child);
  return {
    port,
    async stop() {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function untilListening(port: number, child: ChildProcess): Promise<void> {
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
}

async function start(
  scheme: 'redis' | 'rediss',
  argsFor: (port: number, folder: string) => readonly string[],
): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'tidings-redis-'));
  const port = await freePort();
  const args = argsFor(port, folder);
  let running = await launch();

  async function launch(): Promise<ChildProcess> {
    const given = ['--bind', '127.0.0.1', '--dir', folder, '--save', '', ...args];
    const child = spawn('redis-server', given, { stdio: 'ignore', cwd: folder });
    await untilListening(port, child);
    return child;
  }

  async function kill(): Promise<void> {
    if (running.exitCode !== null || running.signalCode !== null) return;
    running.kill('SIGKILL');
    await once(running, 'exit');
  }

  return {
    url: `${scheme}://127.0.0.1:${port}`,
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
