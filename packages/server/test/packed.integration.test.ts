import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, readdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort } from '../../tidings/test/faults/free-port.ts';
import { ask } from '../../tidings/test/http/client.ts';
import { until } from '../../tidings/test/http/deadline.ts';
import { makeFolder, removeFolder } from './server-process.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const folder = makeFolder();
afterAll(() => removeFolder(folder));

/** A folder as `npm install` of the tarballs would make it: nothing of the repository but its third-party packages. */
function install(name: string, path: string): void {
  const target = join(folder, 'node_modules', name);
  mkdirSync(target, { recursive: true });
  const args = ['pack', `./${path}`, '--ignore-scripts', '--json', '--pack-destination', folder];
  const [{ filename }] = JSON.parse(
    execFileSync('npm', args, { cwd: root, encoding: 'utf8', stdio: 'pipe' }),
  );
  execFileSync('tar', ['-xzf', join(folder, filename), '--strip-components=1', '-C', target]);
  const { dependencies = {} } = JSON.parse(readFileSync(join(target, 'package.json'), 'utf8'));
  for (const dependency of Object.keys(dependencies)) {
    if (dependency === 'tidings') continue;
    const place = join(folder, 'node_modules', dependency);
    mkdirSync(dirname(place), { recursive: true });
    symlinkSync(join(root, 'node_modules', dependency), place, 'dir');
  }
}

beforeAll(() => {
  install('tidings', 'packages/tidings');
  install('@tidings/server', 'packages/server');
});

/** Starts the packed program with nothing configured but free ports. */
async function serve(port: number) {
  const bin = join(folder, 'node_modules/@tidings/server/dist/main.js');
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(process.execPath, [bin, 'serve', `--listen-port=${port}`, '--internal-port=0'], {
    cwd: folder,
    env: { PATH, HOME },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += String(chunk)));
  await until('welcome', () => {
    if (child.exitCode !== null) throw new Error(output);
    return output.includes('To run it elsewhere');
  });
  return {
    output,
    publish: () => {
      const line = output.split('\n').findLast((each) => each.startsWith('  curl')) ?? '';
      return JSON.parse(execFileSync('sh', ['-c', `${line} -sS`], { encoding: 'utf8' })) as {
        cursor: string;
      };
    },
    async stop() {
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}

test('a stranger’s ten minutes: start, publish, receive, restart, resume', async () => {
  const port = await freePort();
  const first = await serve(port);
  expect(first.output).toContain('development mode');
  const url = `http://127.0.0.1:${port}/v1/events?topic=greetings`;
  const page = await ask(url);
  await page.frames.nextEvent();
  const { cursor } = first.publish();
  expect(await page.frames.nextEvent()).toMatchObject({ id: cursor, data: '"Hello"' });
  await first.stop();
  const second = await serve(port);
  try {
    const missed = second.publish();
    // As the browser does by itself.
    const { frames } = await ask(url, { headers: { 'last-event-id': cursor } });
    const { data } = await frames.nextEvent();
    expect(JSON.parse(data)).toMatchObject({ resumed: true, gaps: [] });
    expect(await frames.nextEvent()).toMatchObject({ id: missed.cursor, data: '"Hello"' });
  } finally {
    await second.stop();
  }
  expect(readdirSync(folder)).toContain('tidings-data');
});
