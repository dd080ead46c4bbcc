/** The real Dockerfile, built and started without a container engine, on a base image made from this machine's files. */
import { execFile, execFileSync, spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { DEADLINE } from '../../../scripts/deadline.ts';
import { buildah } from '../../../scripts/needs.mjs';
import { freePort } from '../../tidings/test/faults/free-port.ts';
import { until } from '../../tidings/test/http/deadline.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SECRET, makeFolder, removeFolder, tokenFor } from './server-process.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const program = buildah.find();
const isRoot = process.getuid?.() === 0;
if (program === undefined || !isRoot) {
  console.log(
    `The image is not built: ${program === undefined ? buildah.howTo : 'buildah needs root here'}.`,
  );
}

describe.skipIf(program === undefined || !isRoot)('the image', () => {
  const folder = makeFolder();
  const execute = promisify(execFile);
  let storage: readonly string[] = [];
  const storageIn = (driver: string): readonly string[] => [
    '--root',
    join(folder, driver),
    '--runroot',
    join(folder, 'run'),
    '--storage-driver',
    driver,
  ];

  async function build(...args: string[]): Promise<string> {
    const { stdout } = await execute(program ?? '', [...storage, ...args], { maxBuffer: 1 << 26 });
    return stdout.trim();
  }

  /** Of the driver that copies no layer for each step, where the kernel lets us: not if our own disk is such a layer. */
  async function beginBase(): Promise<string> {
    const files = makeBase(folder);
    for (const driver of ['overlay', 'vfs']) {
      storage = storageIn(driver);
      try {
        const base = await build('from', 'scratch');
        await build('copy', base, files, '/');
        await build('copy', base, npmFolder(), '/usr/lib/node_modules/npm');
        return base;
      } catch (error) {
        if (driver === 'vfs') throw error;
      }
    }
    throw new Error('There is no driver.');
  }

  async function makeBaseImage(): Promise<void> {
    const base = await beginBase();
    const environment = ['PATH=/usr/bin:/bin', 'NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt'];
    await build('config', ...environment.flatMap((line) => ['--env', line]), base);
    await build('commit', base, 'base');
    await build('rm', base);
  }

  /** Without prepack, which would take dist away from the tests that run at the same time; it has just been built. */
  async function pack(context: string): Promise<void> {
    const packages = ['./packages/tidings', './packages/server'];
    const args = ['pack', ...packages, '--ignore-scripts', '--silent', '--pack-destination', context];
    await execute('npm', args, { cwd: root });
    copyFileSync(join(root, 'deploy/docker/Dockerfile'), join(context, 'Dockerfile'));
  }

  beforeAll(async () => {
    const context = join(folder, 'context');
    mkdirSync(context);
    const [{ stdout: registry }] = await Promise.all([
      execute('npm', ['config', 'get', 'registry']),
      pack(context),
      makeBaseImage(),
    ]);
    const args = ['BASE=localhost/base', `NPM_CONFIG_REGISTRY=${registry.trim()}`].flatMap((arg) => [
      '--build-arg',
      arg,
    ]);
    await build('bud', '--isolation', 'chroot', '--pull-never', ...args, '--tag', 'tidings', context);
  }, 10 * DEADLINE);

  afterAll(() => removeFolder(folder));

  test('runs as a user without rights, with a health check, and keeps events on a volume', async () => {
    const { OCIv1, Docker } = JSON.parse(await build('inspect', '--type', 'image', 'tidings'));
    expect(OCIv1.config).toMatchObject({
      User: '65532:65532',
      Volumes: { '/data': {} },
      Cmd: ['serve'],
      ExposedPorts: { '3333/tcp': {}, '3334/tcp': {} },
    });
    expect(Docker.config.Env ?? OCIv1.config.Env).toContain('TIDINGS_LOG_URL=lmdb:/data/log');
  });

  test('serves, takes events, and says that it is healthy', async () => {
    const { OCIv1 } = JSON.parse(await build('inspect', '--type', 'image', 'tidings'));
    const command: readonly string[] = OCIv1.config.Entrypoint;
    const container = await build('from', '--pull-never', 'tidings');
    const [port, internal] = [await freePort(), await freePort()];
    const environment = [
      `TIDINGS_LISTEN_PORT=${port}`,
      `TIDINGS_INTERNAL_PORT=${internal}`,
      `TIDINGS_AUTH_JWT_SECRET=${SECRET}`,
    ].flatMap((line) => ['--env', line]);
    const inside = [...storage, 'run', '--isolation', 'chroot', ...environment, container, '--', ...command];
    const server = spawn(program ?? '', [...inside, 'serve'], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    server.stdout.on('data', (chunk: Buffer) => (output += String(chunk)));
    try {
      await until('serving', () => output.includes('"msg":"serving"'));
      const response = await fetch(`http://127.0.0.1:${port}/v1/publish`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${await tokenFor('me', { publish: ['*'] })}`,
          'content-type': 'application/json',
        },
        body: JSON.stringify({ topics: 'news', data: 'from an image' }),
      });
      expect(response.status, await response.text()).toBe(200);
      const health = spawn(program ?? '', [...inside, 'health'], { stdio: 'inherit' });
      expect(await once(health, 'exit')).toEqual([0, null]);
      const status = `/proc/${pidOf(output)}/status`;
      expect(readFileSync(status, 'utf8')).toMatch(/^Uid:\s+65532\s/m);
    } finally {
      const exited = once(server, 'exit');
      process.kill(pidOf(output), 'SIGTERM');
      await exited;
    }
  });
});

/** The server's own process, from its log: with this isolation, it is one of the machine's processes. */
function pidOf(output: string): number {
  const line = output.split('\n').find((each) => each.includes('"msg":"serving"'));
  return JSON.parse(line ?? '').pid;
}

/** Node, a shell and the libraries that these are linked with, from this machine. */
function makeBase(folder: string): string {
  const base = join(folder, 'base');
  const programs = ['sh', 'env', 'mkdir', 'chown', 'rm'].map((name) => `/usr/bin/${name}`);
  for (const path of [process.execPath, ...programs].flatMap((each) => [each, ...libraries(each)])) {
    const target = join(base, path);
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(realpathSync(path), target);
  }
  const bin = join(base, 'usr/bin');
  mkdirSync(bin, { recursive: true });
  symlinkSync('usr/bin', join(base, 'bin'));
  if (process.execPath !== '/usr/bin/node') symlinkSync(process.execPath, join(bin, 'node'));
  symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', join(bin, 'npm'));
  for (const each of ['tmp', 'root', 'etc/ssl/certs', 'var/tmp'])
    mkdirSync(join(base, each), { recursive: true });
  copyFileSync('/etc/ssl/certs/ca-certificates.crt', join(base, 'etc/ssl/certs/ca-certificates.crt'));
  writeFileSync(join(base, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  return base;
}

function npmFolder(): string {
  return dirname(dirname(realpathSync(execFileSync('which', ['npm'], { encoding: 'utf8' }).trim())));
}

function libraries(path: string): readonly string[] {
  const linked = execFileSync('ldd', [path], { encoding: 'utf8' });
  return [...linked.matchAll(/(?:^|\s)(\/\S+)/gm)].map(([, library = '']) => library);
}
