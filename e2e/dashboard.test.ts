import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { expect } from 'vitest';
import { beActive } from './activity.ts';
import { proxyTo } from './cuttable-proxy.ts';
import { openEventSource } from './event-source.ts';
import { useLiveApp } from './live-app.ts';
import { accessibilityProblems, overflowing, statusLabel, untilLive } from './page-checks.ts';
import { eventually, screenshot, screenshotOfAll, test } from './test.ts';
import type { Visitor } from './visitor.ts';

const picture = fileURLToPath(new URL('../docs/images/dashboard.png', import.meta.url));

const app = useLiveApp();

/** The big number of a tile. */
const tile = (page: Page, figure: string): Promise<string> =>
  page.locator(`[data-figure=${figure}] .tile-value`).innerText();

/*
 * While a page begins, or is behind, it may ask for a whole answer in addition to its stream, and a sample may count both. So
 * charts say one more than there are streams, now and then.
 */

/** A chart's text for people who cannot see it. */
const chart = (page: Page, title: string): Promise<string | null> =>
  page
    .getByTestId('chart')
    .filter({ has: page.getByRole('heading', { name: title, exact: true }) })
    .locator('[data-chart-summary]')
    .textContent();

test('the figures follow the activity, and the charts keep their history across a dropped connection and a restart', async ({
  newVisitor,
}) => {
  const proxy = await proxyTo(app.url);
  const watcher = await newVisitor(proxy.url);
  const page = await watcher.open('/dashboard');
  await eventually(() => tile(page, 'connections')).toBe('1');
  await eventually(() => tile(page, 'posts')).toBe('0');
  await eventually(() => chart(page, 'Connections')).toMatch(/streams: from [01] to [12],/);

  const guest = await newVisitor(app.url);
  await guest.signUp('guest');
  const streams = await guest.open('/healthz');
  const sources = await Promise.all(
    Array.from({ length: 4 }, () => openEventSource(streams, '/events?topic=posts', ['post'])),
  );
  await eventually(() => tile(page, 'connections')).toBe('5');
  await eventually(() => tile(page, 'usersOnline')).toBe('1');
  for (let count = 0; count < 5; count += 1) await guest.post(`Something to count ${count}`);
  await eventually(() => tile(page, 'posts')).toBe('5');
  await eventually(() => chart(page, 'Events per second')).toMatch(/delivered: from \S+ to [1-9]/);
  await Promise.all(sources.map((source) => source.close()));
  await eventually(() => tile(page, 'connections')).toBe('1');
  // The server has sampled since before the page came.
  const history = /streams: from [01] to [56],/;
  await eventually(() => chart(page, 'Connections')).toMatch(history);

  proxy.block(true);
  proxy.cut();
  await eventually(() => statusLabel(page)).toMatch(/^Reconnecting/);
  await screenshot(page, 'dashboard while disconnected');
  expect(await chart(page, 'Connections')).toMatch(history);
  proxy.block(false);
  await untilLive(page);
  await guest.post('After the cut');
  await eventually(() => tile(page, 'posts')).toBe('6');
  expect(await chart(page, 'Connections')).toMatch(history);

  // The next process knows nothing of the history; the page does.
  await app.kill();
  await eventually(() => statusLabel(page)).toMatch(/^Reconnecting/);
  await app.start();
  await untilLive(page);
  await guest.post('After the restart');
  await eventually(() => tile(page, 'posts')).toBe('7');
  expect(await chart(page, 'Connections')).toMatch(history);

  await page.getByText('The same as a table').click();
  const row = page.getByRole('row', { name: 'Connections' });
  // The table is filled after the click, at the browser's `toggle` event.
  await eventually(() => row.getByRole('cell').nth(3).innerText()).toMatch(/^[56]$/);
  expect(await accessibilityProblems(page)).toEqual([]);
  expect(await overflowing(page)).toEqual([]);
  await screenshotOfAll(page, 'dashboard after a restart');
});

// The picture in docs/recipes/live-dashboard.md. Taken when asked for, since it takes more than a minute of life on the pages.
if (process.env['TIDINGS_UPDATE_IMAGES'] === '1') {
  test('the picture of the dashboard in the docs', { timeout: 300_000 }, async ({ newVisitor }) => {
    const watcher = await newVisitor(app.url, { colorScheme: 'light' });
    await watcher.signUp('marlene');
    const page = await watcher.open('/dashboard');
    await untilLive(page);
    const people: Visitor[] = [];
    for (const name of ['ada', 'bruno', 'chen', 'dilek', 'emeka']) {
      const person = await newVisitor(app.url);
      await person.signUp(name);
      people.push(person);
    }
    await beActive(people, 80_000);
    await page.bringToFront();
    await page.screenshot({ path: picture, animations: 'disabled' });
  });
}
