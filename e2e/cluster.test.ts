import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll } from 'vitest';
import { DEADLINE } from '../scripts/deadline.ts';
import { postgres, redis } from '../scripts/needs.mjs';
import { untilLive } from './page-checks.ts';
import { eventually, screenshot, screenshotOfAll, test } from './test.ts';
import type { Visitor } from './visitor.ts';

const main = fileURLToPath(new URL('../examples/live/cluster/main.mjs', import.meta.url));
const missing = [postgres, redis].find((need) => need.find() === undefined);

let cluster: ChildProcess;
let url = '';
/** Of the process of each node, as the script says. */
const pids = new Map<string, number>();

beforeAll(async () => {
  if (missing !== undefined) return;
  // A node that is gone comes back when the test says so.
  cluster = spawn(process.execPath, [main, '--restart-after', '3600'], {
    env: {
      PATH: process.env['PATH'],
      PORT: '0',
      CONNECTS_PER_MINUTE: '100000',
      POSTS_PER_MINUTE: '1000',
      SIGN_IN_PER_MINUTE: '1000',
      VIEWER_GRACE_SECONDS: '2',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  process.once('exit', () => cluster.kill('SIGTERM'));
  await new Promise<void>((resolve, reject) => {
    cluster.once('exit', (code) => reject(new Error(`The cluster ended with ${code}.`)));
    if (cluster.stdout === null) return reject(new Error('The cluster has no output.'));
    createInterface(cluster.stdout).on('line', (line) => {
      const [, name = '', pid] = /^Node (\w+) serves.*kill -9 (\d+)$/.exec(line) ?? [];
      if (pid !== undefined) pids.set(name, Number(pid));
      const found = /2 nodes on Redis: (\S+)$/.exec(line)?.[1];
      if (found === undefined) return;
      url = found;
      resolve();
    });
  });
}, 2 * DEADLINE);

afterAll(async () => {
  if (missing !== undefined || cluster.exitCode !== null) return;
  const exit = once(cluster, 'exit');
  cluster.kill('SIGTERM');
  await exit;
}, DEADLINE);

/** The streams of each node, as a dashboard lists them. */
async function streams(dashboard: Page): Promise<Record<string, number>> {
  // All rows at one moment: they come and go.
  const rows = await dashboard
    .getByTestId('node')
    .evaluateAll((found) =>
      found.map((row) => [
        row.getAttribute('data-node'),
        Number(row.querySelector('[data-cell=streams]')?.textContent),
      ]),
    );
  return Object.fromEntries(rows);
}

const shown = (page: Page, text: string): Promise<void> =>
  page.getByTestId('post-text').filter({ hasText: text }).first().waitFor();

test(
  'two nodes are one app: posts, viewers and the dashboard span both, and pages go on when one is killed',
  async ({ newVisitor, skip }) => {
    if (missing !== undefined) skip(`${missing.name} is missing: ${missing.howTo}`);
    const author = await newVisitor(url);
    await author.signUp('author');
    const dashboard = await author.open('/dashboard');
    await untilLive(dashboard);
    await eventually(async () => Object.keys(await streams(dashboard)).toSorted()).toEqual(['one', 'two']);

    // Connections go to the nodes in turn, so both have readers soon.
    const readers: Visitor[] = [];
    const feeds: Page[] = [];
    for (let count = 0; count < 4; count += 1) {
      const reader = await newVisitor(url);
      readers.push(reader);
      feeds.push(await reader.open('/feed'));
    }
    for (const feed of feeds) await untilLive(feed);
    while (feeds.length < 10 && Object.values(await streams(dashboard)).some((count) => count < 2)) {
      const reader = await newVisitor(url);
      readers.push(reader);
      feeds.push(await reader.open('/feed'));
    }
    await author.post('To both nodes.');
    for (const feed of feeds) await shown(feed, 'To both nodes.');
    for (const feed of feeds) {
      await eventually(() => feed.getByTestId('feed-viewers').innerText()).toBe(
        `${feeds.length} people reading`,
      );
    }
    await eventually(async () =>
      Object.values(await streams(dashboard)).reduce((sum, count) => sum + count, 0),
    ).toBe(feeds.length + 1);
    await screenshotOfAll(dashboard, 'cluster dashboard');

    const here = await dashboard
      .getByTestId('node')
      .filter({ has: dashboard.getByText('this page').locator('visible=true') })
      .getAttribute('data-node');
    const victim = here ?? 'one';
    const pid = pids.get(victim);
    if (pid === undefined) throw new Error(`There is no node ${victim}.`);
    process.kill(pid, 'SIGKILL');
    // Everything is at the other node now, this page's stream too, and the dead one's lease ends.
    await eventually(() => dashboard.locator('[data-nodes-section]').isHidden()).toBe(true);
    await untilLive(dashboard);
    for (const feed of feeds) await untilLive(feed);
    await author.post('To the one that is left.');
    for (const feed of feeds) await shown(feed, 'To the one that is left.');
    for (const feed of feeds) {
      await eventually(() => feed.getByTestId('feed-viewers').innerText()).toBe(
        `${feeds.length} people reading`,
      );
    }
    await eventually(() => feeds[0]?.getByTestId('post-text').filter({ hasText: 'To' }).count()).toBe(2);
    await screenshot(feeds[0] as Page, 'cluster feed after a kill');

    // It comes back, and signing out at either ends the session at both.
    cluster.kill('SIGUSR2');
    await eventually(() => pids.get(victim)).not.toBe(pid);
    await eventually(async () => Object.keys(await streams(dashboard)).length).toBe(2);
    await dashboard.getByTestId('account').click();
    await dashboard.getByTestId('sign-out').click();
    await dashboard.getByTestId('sign-in').waitFor();
    await untilLive(dashboard);
    await feeds[0]?.close();
    await eventually(() => feeds[1]?.getByTestId('feed-viewers').innerText()).toBe(
      `${feeds.length - 1} people reading`,
    );
  },
  4 * DEADLINE,
);
