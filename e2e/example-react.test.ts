// The example with React, as its README says.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect } from 'vitest';
import { DEADLINE } from '../scripts/deadline.ts';
import { eventually, test } from './test.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = `${root}examples/react/`;
let server: ChildProcess;
let origin = '';

beforeAll(async () => {
  execFileSync('npm', ['run', 'build', '-w', '@tidings/example-react'], { cwd: root, stdio: 'pipe' });
  server = spawn(process.execPath, ['server.js'], {
    cwd: folder,
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

test('what one visitor writes, all see', async ({ newVisitor }) => {
  const [ann, bob] = [await newVisitor(origin), await newVisitor(origin)];
  const annPage = await ann.open('/');
  await annPage.getByLabel('Note').fill('Milk is out');
  await annPage.getByRole('button', { name: 'Add' }).click();
  await eventually(() => annPage.locator('li').allTextContents()).toEqual(['Milk is out']);

  const bobPage = await bob.open('/');
  await eventually(() => bobPage.locator('li').allTextContents()).toEqual(['Milk is out']);
  await eventually(() => annPage.locator('b').textContent()).toBe('2');
  await eventually(() => bobPage.locator('p').textContent()).toMatch(/^2 here · [1-9]\d* MB$/);
  await bobPage.getByLabel('Note').fill('On my way');
  await bobPage.getByLabel('Note').press('Enter');
  await eventually(() => annPage.locator('li').allTextContents()).toEqual(['Milk is out', 'On my way']);

  await bobPage.close();
  await eventually(() => annPage.locator('b').textContent()).toBe('1');
});

test('the app and the server have at most 40 lines each', () => {
  for (const file of ['server.js', 'src/app.tsx']) {
    expect(
      readFileSync(folder + file, 'utf8')
        .trim()
        .split('\n').length,
      file,
    ).toBeLessThanOrEqual(40);
  }
});
