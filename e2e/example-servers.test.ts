// The plain page of the small apps, as the Express one serves it.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect } from 'vitest';
import { DEADLINE } from '../scripts/deadline.ts';
import { eventually, test } from './test.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
let server: ChildProcess;
let origin = '';

beforeAll(async () => {
  server = spawn(process.execPath, ['examples/servers/express.js'], {
    cwd: root,
    env: { PATH: process.env['PATH'], PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: server.stdout as NonNullable<typeof server.stdout> });
  [origin] = (await once(lines, 'line', { signal: AbortSignal.timeout(DEADLINE) })) as [string];
});

afterAll(async () => {
  if (server.exitCode !== null) return;
  const exited = once(server, 'exit');
  server.kill('SIGTERM');
  await exited;
  expect(server.exitCode).toBe(0);
});

test('the plain page publishes, and shows what others publish, markup as text', async ({ newVisitor }) => {
  const [ann, bob] = [await newVisitor(origin), await newVisitor(origin)];
  const [annPage, bobPage] = [await ann.open('/'), await bob.open('/')];
  for (const page of [annPage, bobPage])
    await eventually(() => page.getByRole('status').textContent()).toBe('open');
  await annPage.getByLabel('Title').fill('<b>High tide</b>');
  await annPage.getByRole('button', { name: 'Publish' }).click();
  for (const page of [annPage, bobPage])
    await eventually(() => page.locator('li').allTextContents()).toEqual(['<b>High tide</b>']);
  await eventually(() => annPage.getByLabel('Title').inputValue()).toBe('');
});
