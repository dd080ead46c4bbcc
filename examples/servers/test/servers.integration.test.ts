// Each app, started as its line in the README says: publish, receive, drop, resume, shut down.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { ask, askHttp2 } from '../../../packages/tidings/test/http/client.ts';
import { within } from '../../../packages/tidings/test/http/deadline.ts';
import { freePort } from '../../../packages/tidings/test/faults/free-port.ts';
import { runtimeBinary } from '../../../packages/tidings/test/runtimes/binary.ts';
import { DEADLINE } from '../../../scripts/deadline.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const folder = join(root, 'examples/servers');
const programs = mkdtempSync(join(tmpdir(), 'tidings-runtimes-'));

const readme = readFileSync(join(folder, 'README.md'), 'utf8');
const apps = Array.from(
  readme.matchAll(/^\| (.+?) \| \[(\S+)\]\(\2\) \| `(.+)` \|$/gm),
  ([, name = '', file = '', command = '']) => ({ name, file, command }),
);

beforeAll(() => {
  execFileSync(join(root, 'node_modules/.bin/tsc'), ['-b', 'packages/tidings'], { cwd: root });
  // As if they were installed: their packages' own commands need an install script.
  for (const name of ['bun', 'deno'] as const) symlinkSync(runtimeBinary(name), join(programs, name));
}, 5 * DEADLINE);
afterAll(() => rmSync(programs, { recursive: true }));

/** In a process group of its own, which ends with the test. SIGTERM is for the app alone: the shell makes way for it. */
async function start(command: string): Promise<{ app: ChildProcess; url: string; output: () => string }> {
  const steps = command.split(' && ');
  for (const step of steps.slice(0, -1)) await finished(step);
  const app = spawn('sh', ['-c', `exec ${steps.at(-1)}`], {
    cwd: root,
    env: { PATH: [programs, process.env['PATH']].join(delimiter), PORT: String(await freePort()) },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  onTestFinished(() => endGroup(app));
  let output = '';
  app.stderr.on('data', (text: Buffer) => (output += text.toString()));
  const lines = createInterface({ input: app.stdout });
  lines.on('line', (line) => (output += `${line}\n`));
  const line = await within(
    `address of ${command}`,
    Promise.race([once(lines, 'line'), once(app, 'exit').then(() => [`ended: ${output}`])]),
  );
  // SvelteKit's own server says "Listening on http://0.0.0.0:3000".
  const [url = ''] = /(?<=^|^Listening on )https?:\/\/\S+$/.exec(String(line[0])) ?? [];
  expect(url, String(line[0])).not.toBe('');
  return { app, url: url.replace('0.0.0.0', '127.0.0.1'), output: () => output };
}

/** Runs a step that builds, for which a busy machine may need minutes. */
async function finished(step: string): Promise<void> {
  const program = spawn('sh', ['-c', step], { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  onTestFinished(() => void program.kill('SIGKILL'));
  expect(await once(program, 'exit'), step).toEqual([0, null]);
}

function endGroup({ pid, exitCode, signalCode }: ChildProcess): void {
  if (pid !== undefined && exitCode === null && signalCode === null) process.kill(-pid, 'SIGKILL');
}

/** Of an app that is a folder, the files that are code. */
function textOf(path: string): string {
  if (!path.endsWith('/')) return readFileSync(path, 'utf8');
  return readdirSync(join(path, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(js|svelte)$/.test(name))
    .map((name) => readFileSync(join(path, 'src', name), 'utf8'))
    .join('');
}

test('every server of the folder is in the table of the README', () => {
  expect(
    apps.map(({ file }) => file).toSorted((a, b) => a.replace('../', '').localeCompare(b.replace('../', ''))),
  ).toEqual([
    'bun.js',
    'deno.js',
    'express.js',
    'fastify.js',
    'hono.js',
    'http2.js',
    'koa.js',
    'nest.ts',
    'node.js',
    '../sveltekit/',
  ]);
});

describe.each(apps)('the app with $name', ({ name, file, command }) => {
  const text = textOf(join(folder, file));

  test('has at most 40 lines', () => {
    expect(text.trimEnd().split('\n').length).toBeLessThanOrEqual(40);
  });

  test(
    'refuses what has no title, publishes, streams, resumes and shuts down with a goodbye',
    async () => {
      const { app, url, output } = await start(command);
      const request = name === 'HTTP/2' ? askHttp2 : ask;
      const publish = async (title: string): Promise<number> => {
        const reply = await request(`${url}/news`, { method: 'POST', json: { title } });
        expect(Object.keys(await reply.json())).toEqual(['cursor']);
        return reply.status;
      };
      for (const json of [{}, null, { title: 1 }])
        expect((await request(`${url}/news`, { method: 'POST', json })).status, JSON.stringify(json)).toBe(
          400,
        );

      // The other frameworks have bounds of their own.
      if (text.includes('10_000')) {
        const json = { title: 'a'.repeat(20_000) };
        const reply = await request(`${url}/news`, { method: 'POST', json });
        expect(reply.status).toBe(413);
        await reply.frames.end();
      }

      const first = await request(`${url}/events?topic=news`);
      expect(first.status).toBe(200);
      expect((await first.frames.nextEvent()).type).toBe('tidings:welcome');
      expect(await publish('one')).toBe(201);
      const { id = '', data } = await first.frames.nextEvent();
      expect(data).toBe('{"title":"one"}');
      first.cut();

      expect(await publish('two')).toBe(201);
      const second = await request(`${url}/events?topic=news`, { headers: { 'last-event-id': id } });
      expect((await second.frames.nextEvent()).type).toBe('tidings:welcome');
      expect((await second.frames.nextEvent()).data).toBe('{"title":"two"}');

      const exit = once(app, 'exit');
      app.kill('SIGTERM');
      expect((await second.frames.nextEvent()).type).toBe('tidings:goodbye');
      await second.frames.end();
      expect(await within(`end of ${name}`, exit), output()).toEqual([0, null]);
    },
    6 * DEADLINE,
  );
});

test('the page of the Express app finds the modules of the client', async () => {
  const { url } = await start('node examples/servers/express.js');
  const page = await fetch(url).then((response) => response.text());
  const [, module = 'none'] = /"tidings\/client": "(.+?)"/.exec(page) ?? [];
  const response = await fetch(url + module);
  expect([response.status, response.headers.get('content-type')]).toEqual([
    200,
    'text/javascript; charset=utf-8',
  ]);
  expect(await response.text()).toContain('connect');
});

// The guide's table says how each is mounted; these files do it.
test('the guide mounts a hub as the apps do', () => {
  const guide = readFileSync(join(root, 'docs/guides/frameworks.md'), 'utf8');
  const rows = new Map(
    Array.from(
      guide.matchAll(/^\| \[([^\]]+)\]\(#[\w-]+\).*?\| `(tidings\/\w+)` \| `([^`]+)`/gm),
      ([, name = '', from = '', how = '']) => [name.replace(/ \d.*/, ''), { from, how }],
    ),
  );
  for (const name of ['Express', 'Fastify', 'Koa', 'Hono']) {
    const { from = '', how = '' } = rows.get(name) ?? {};
    const text = readFileSync(join(folder, apps.find((app) => app.name === name)?.file ?? ''), 'utf8');
    expect(text).toContain(`from '${from}'`);
    expect(text).toContain(how.replace(/ …\)$/, ''));
  }
});
