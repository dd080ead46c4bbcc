// `tidings init`: the apps themselves are tested in examples/servers.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { runCli } from '../src/cli/run.ts';
import { freePort } from '../../tidings/test/faults/free-port.ts';
import { within } from '../../tidings/test/http/deadline.ts';
import { makeFolder, removeFolder } from './server-process.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const folder = makeFolder();
beforeAll(() => {
  execFileSync(join(root, 'node_modules/.bin/tsc'), ['-b', 'packages/tidings'], { cwd: root });
  // As if `npm install` had run in each.
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
});
afterAll(() => removeFolder(folder));

async function tidings(...args: string[]): Promise<{ status: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const status = await runCli(args, {
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    drained: () => Promise.resolve(),
  });
  return { status, out, err };
}

describe.each(['express', 'fastify', 'koa', 'hono', 'node', 'http2'])('tidings init %s', (framework) => {
  test('writes the example with the packages it needs, and it starts', async () => {
    const app = join(folder, framework);
    const { status, out } = await tidings('init', framework, app);
    expect([status, out]).toEqual([
      0,
      `The app is in ${app}. To run it:\n\n  cd ${app} && npm install\n  npm start\n`,
    ]);
    const text = readFileSync(join(app, 'server.js'), 'utf8');
    expect(text).toBe(readFileSync(join(root, `examples/servers/${framework}.js`), 'utf8'));
    const { dependencies } = JSON.parse(readFileSync(join(app, 'package.json'), 'utf8'));
    const imported = Array.from(text.matchAll(/from '((?:@[^/]+\/)?[^/']+)/g), ([, name = '']) => name);
    expect(new Set(Object.keys(dependencies))).toEqual(
      new Set(imported.filter((name) => !name.startsWith('node:'))),
    );

    const server = spawn('node', ['server.js'], {
      cwd: app,
      env: { PATH: process.env['PATH'], PORT: String(await freePort()) },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void server.kill('SIGKILL'));
    const [line] = await within('address', once(createInterface(server.stdout), 'line'));
    expect(line).toMatch(/^https?:\/\/localhost:\d+$/);
  });
});

test('tidings init express brings its page', async () => {
  const app = join(folder, 'page');
  await tidings('init', 'express', app);
  expect(readdirSync(app, { recursive: true, encoding: 'utf8' }).toSorted()).toEqual([
    'package.json',
    'public',
    join('public', 'index.html'),
    'server.js',
  ]);
});

test('tidings init leaves a folder with files alone', async () => {
  const app = join(folder, 'mine');
  mkdirSync(app);
  writeFileSync(join(app, 'notes.txt'), 'mine');
  const { status, out, err } = await tidings('init', 'koa', app);
  expect([status, out, err]).toEqual([
    1,
    '',
    `Expected ${app} to be new or empty, but it has files: nothing was written.\n`,
  ]);
  expect(readdirSync(app)).toEqual(['notes.txt']);
});

test('tidings init says why it can’t write to a place', async () => {
  const place = (name: string): string => join(folder, name);
  writeFileSync(place('file'), '');
  symlinkSync('nowhere', place('dangling'));
  for (const name of ['file', 'file/in-it', 'dangling']) {
    const { status, err } = await tidings('init', 'koa', place(name));
    expect([status, err]).toEqual([1, expect.stringContaining(`can’t be written to ${place(name)}: E`)]);
  }
});

test('tidings init takes a folder without a name for the present one, which has files', async () => {
  const { status, err } = await tidings('init', 'koa', '');
  expect([status, err]).toEqual([1, expect.stringContaining('Expected . to be new or empty')]);
});

test.each([
  [['expres'], 'got "expres". Did you mean express?'],
  [[], 'one of express, fastify, koa, hono, node, http2; got ""'],
  [['toString'], 'got "toString"'],
  [['koa', 'a', 'b'], 'Expected one folder, got 2'],
])('tidings init %j says what it expected', async (args, message) => {
  const { status, err } = await tidings('init', ...args);
  expect(status).toBe(2);
  expect(err).toContain(message);
});

test('the package brings the apps', () => {
  // In another place than the package's own folder, which other tests pack.
  const server = join(folder, 'packages/server');
  mkdirSync(server, { recursive: true });
  symlinkSync(join(root, 'examples'), join(folder, 'examples'));
  const templates = (...args: string[]): void =>
    void execFileSync('node', [join(root, 'scripts/templates.mjs'), ...args], { cwd: server });
  templates();
  const files = readdirSync(join(server, 'templates'), { recursive: true }).map(String);
  templates('--remove');
  expect(files).toEqual(expect.arrayContaining(['express.js', 'package.json', join('public', 'index.html')]));
  expect(files.filter((name) => /node_modules|test|dist/.test(name))).toEqual([]);
});
