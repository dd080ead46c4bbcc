// The example with React, as its README says.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect } from 'vitest';
import { useExample } from './example-app.ts';
import { eventually, test } from './test.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = `${root}examples/react/`;

beforeAll(() => {
  execFileSync('npm', ['run', 'build', '-w', '@tidings/example-react'], { cwd: root, stdio: 'pipe' });
});
const app = useExample(folder, 'server.js');

test('what one visitor writes, all see', async ({ newVisitor }) => {
  const [ann, bob] = [await newVisitor(app.origin), await newVisitor(app.origin)];
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
