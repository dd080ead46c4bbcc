import { expect } from 'vitest';
import { proxyTo } from './cuttable-proxy.ts';
import { useLiveApp } from './live-app.ts';
import { accessibilityProblems } from './page-checks.ts';
import { eventually, screenshot, test } from './test.ts';

const app = useLiveApp();

test('every open connection is listed as it comes and goes, with the browser’s own one marked', async ({
  newVisitor,
}) => {
  const proxy = await proxyTo(app.url);
  const watcher = await newVisitor(proxy.url);
  const page = await watcher.open('/connections');
  const rows = page.getByTestId('connection');
  const own = rows.filter({ has: page.getByText('this browser').locator('visible=true') });
  const ownIds = (): Promise<(string | null)[]> =>
    own.evaluateAll((found) => found.map((row) => row.getAttribute('data-connection')));
  await eventually(() => rows.count()).toBe(1);
  await eventually(() => own.getByText('live', { exact: true }).isVisible()).toBe(true);
  const before = await ownIds();

  const guest = await newVisitor(app.url);
  await guest.signUp('guest');
  const theirs = await guest.open('/feed');
  await eventually(() => rows.count()).toBe(2);
  await eventually(() => page.getByTestId('total-signed-in').innerText()).toBe('1');
  const guestsRow = rows.filter({ hasText: 'signed in' });
  await eventually(async () => (await guestsRow.locator('.topic').allInnerTexts()).toSorted()).toEqual([
    'posts',
    'user/…',
    'viewers',
  ]);
  await eventually(() => guestsRow.innerText()).toContain('localhost');
  await eventually(() => own.count()).toBe(1);
  await screenshot(page, 'two connections');

  await page.getByRole('button', { name: 'Client' }).click();
  const header = page.getByRole('columnheader', { name: 'Client' });
  await eventually(() => header.getAttribute('aria-sort')).toBe('ascending');
  expect(await accessibilityProblems(page)).toEqual([]);

  await theirs.close();
  await eventually(() => rows.count()).toBe(1);
  await eventually(() => page.getByTestId('total-open').innerText()).toBe('1');

  proxy.cut();
  await eventually(async () => (await ownIds()).filter((id) => !before.includes(id))).toHaveLength(1);
  await eventually(() => rows.count()).toBe(1);
});
