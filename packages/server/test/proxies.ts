/** Real proxies, started in front of a hub, each in a folder of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DEADLINE } from '../../../scripts/deadline.ts';
import { haproxy, nginx } from '../../../scripts/needs.mjs';
import { freePort } from '../../tidings/test/faults/free-port.ts';

export interface Proxy {
  readonly port: number;
  stop(): Promise<void>;
}

const deploy = (path: string) =>
  readFileSync(fileURLToPath(new URL(`../../../deploy/${path}`, import.meta.url)), 'utf8');

/** The configuration in deploy/, with this hub and this port in place of the ones it names. */
export function shippedNginx(hub: number): Promise<Proxy> {
  return startNginx((port) =>
    replaced(deploy('nginx/tidings.conf'), {
      '127.0.0.1:3000': `127.0.0.1:${hub}`,
      'listen 80': `listen 127.0.0.1:${port}`,
    }),
  );
}

export function shippedHaproxy(hub: number): Promise<Proxy> {
  return startHaproxy((port) =>
    replaced(deploy('haproxy/tidings.cfg'), {
      '127.0.0.1:3000': `127.0.0.1:${hub}`,
      'bind *:80': `bind 127.0.0.1:${port}`,
    }),
  );
}

function replaced(text: string, by: Readonly<Record<string, string>>): string {
  return Object.entries(by).reduce((now, [from, to]) => {
    if (!now.includes(from)) throw new Error(`The configuration no longer has ${JSON.stringify(from)}.`);
    return now.replace(from, to);
  }, text);
}

/** @param http the body of the http block, for a port to listen on */
export async function startNginx(http: (port: number, folder: string) => string): Promise<Proxy> {
  return start('nginx', (port, folder) => {
    mkdirSync(join(folder, 'temp'));
    const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
      .map((kind) => `${kind}_temp_path ${folder}/temp/${kind};`)
      .join('\n');
    writeFileSync(
      join(folder, 'nginx.conf'),
      `daemon off;\nmaster_process off;\npid ${folder}/pid;\nevents {}\nhttp {\naccess_log off;\n${temp}\n${http(port, folder)}\n}\n`,
    );
    return [nginx.find() ?? 'nginx', '-p', folder, '-c', join(folder, 'nginx.conf'), '-e', 'stderr'];
  });
}

export async function startHaproxy(configuration: (port: number) => string): Promise<Proxy> {
  return start('haproxy', (port, folder) => {
    writeFileSync(join(folder, 'haproxy.cfg'), configuration(port));
    return [haproxy.find() ?? 'haproxy', '-db', '-f', join(folder, 'haproxy.cfg')];
  });
}

async function start(
  name: string,
  prepare: (port: number, folder: string) => readonly string[],
): Promise<Proxy> {
  const folder = mkdtempSync(join(tmpdir(), `tidings-${name}-`));
  const port = await freePort();
  const [command = '', ...args] = prepare(port, folder);
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk));
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await untilListening(child, port, () => said);
    return { port, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function untilListening(child: ChildProcess, port: number, said: () => string): Promise<void> {
  const deadline = performance.now() + DEADLINE;
  while (!(await answers(port))) {
    if (child.exitCode !== null) throw new Error(`The proxy ended with ${child.exitCode}:\n${said()}`);
    if (performance.now() > deadline) throw new Error(`The proxy doesn't listen:\n${said()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
