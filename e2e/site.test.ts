// The documentation, built for publication and served as files.
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { DEADLINE } from '../scripts/deadline.ts';
import { accessibilityProblems, overflowing, rulesFor } from './page-checks.ts';
import { eventually, screenshot, screenshotOfAll, test } from './test.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'site/dist');
const types: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
  '.md': 'text/markdown; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
};
const desktop = { width: 1280, height: 800 };
const phone = { width: 375, height: 740 };
/** Of these people look at pictures. */
const pictured = new Set([
  '/',
  '/getting-started.html',
  '/concepts.html',
  '/comparison.html',
  '/options.html',
]);

let server: Server | undefined;
let origin = '';

beforeAll(async () => {
  const build = spawnSync('npm', ['run', 'docs:build'], { cwd: root, encoding: 'utf8' });
  if (build.status !== 0) throw new Error(`The site does not build:\n${build.stdout}${build.stderr}`);
  server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const file = join(dist, pathname.endsWith('/') ? `${pathname}index.html` : pathname);
    if (!existsSync(file) || !statSync(file).isFile()) return void response.writeHead(404).end();
    response.setHeader('content-type', types[extname(file)] ?? 'application/octet-stream');
    return void createReadStream(file).pipe(response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}, 5 * DEADLINE);

afterAll(() => {
  server?.closeAllConnections();
  server?.close();
});

const addresses = (): string[] =>
  readdirSync(dist, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.html') && name !== '404.html')
    .map((name) => `/${name.replace(/(^|\/)index\.html$/, '$1')}`);

/** Leaves the text of code alone: the elements around its words mean nothing but their colour. */
function dropColours(): void {
  for (const code of document.querySelectorAll('pre code')) code.replaceChildren(code.textContent);
}

test(
  'every page is accessible in light and dark colours, and fits a desktop and a phone',
  { timeout: 20 * DEADLINE },
  async ({ newVisitor }) => {
    const reader = await newVisitor(origin, { viewport: phone });
    // Each page would fetch all that it links to.
    await reader.context.addInitScript(() => {
      Object.defineProperty(navigator, 'connection', { value: { saveData: true } });
    });
    const page = await reader.open('/');
    // Nothing moves while the checks look.
    await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' });
    for (const address of addresses()) {
      await page.setViewportSize(phone);
      await page.goto(address);
      await page.locator('h1').first().waitFor();
      expect.soft(await overflowing(page), `${address} on a phone`).toEqual([]);
      if (pictured.has(address)) await screenshotOfAll(page, `site ${address} phone dark`);
      await page.setViewportSize(desktop);
      expect.soft(await overflowing(page), address).toEqual([]);
      if (pictured.has(address)) {
        for (const colorScheme of ['light', 'dark'] as const) {
          await page.emulateMedia({ colorScheme });
          expect
            .soft(await accessibilityProblems(page, rulesFor(colorScheme)), `${address}, ${colorScheme}`)
            .toEqual([]);
          await screenshot(page, `site ${address} desktop ${colorScheme}`);
        }
      } else {
        // All pages have the same colours, and the same bars around their text. Looking at them on each page, and at many
        // thousand coloured words of code, takes minutes.
        await page.evaluate(dropColours);
        expect.soft(await accessibilityProblems(page, 'but contrast', '#VPContent'), address).toEqual([]);
      }
    }
    expect(reader.failedRequests).toEqual([]);
  },
);

test('the search finds a page by a word of its text', async ({ newVisitor }) => {
  const reader = await newVisitor(origin);
  const page = await reader.open('/getting-started.html');
  await page.getByRole('button', { name: 'Search' }).first().click();
  await page.getByRole('searchbox').fill('backpressure');
  const result = page
    .getByRole('option')
    .filter({ hasText: /Concepts/ })
    .first();
  await result.click();
  await page.waitForURL(/\/concepts\.html/);
});

describe('the hub on the home page', () => {
  test('delivers to two devices, and the one whose network was cut catches up', async ({ newVisitor }) => {
    const reader = await newVisitor(origin);
    const page = await reader.open('/');
    // It plays by itself; the test takes its turn.
    await page.getByTestId('demo-play').filter({ hasText: 'Pause' }).click();
    const seqs = (device: string): Promise<string[]> =>
      page.getByTestId(`demo-${device}`).locator('li b').allTextContents();
    const status = (device: string): Promise<string> =>
      page.getByTestId(`demo-${device}`).getByTestId('status').innerText();
    const publish = (): Promise<void> => page.getByTestId('demo-publish').click();
    await publish();
    await eventually(() => seqs('phone')).not.toEqual([]);
    await eventually(() => status('phone')).toBe('live');
    const [first = ''] = (await seqs('laptop')).slice(-1);

    await page.getByTestId('toggle-phone').click();
    await eventually(() => status('phone')).toBe('no network');
    await publish();
    await publish();
    await eventually(async () => (await seqs('laptop')).at(-1)).toBe(String(Number(first) + 2));
    expect((await seqs('phone')).at(-1)).toBe(first);

    await page.getByTestId('toggle-phone').click();
    await eventually(async () => (await seqs('phone')).slice(-3)).toEqual(
      [0, 1, 2].map((n) => String(Number(first) + n)),
    );
    await eventually(() => status('phone')).toBe('live');
  });
});

test('programs find every page as Markdown, and a list of all', () => {
  const list = readFileSync(join(dist, 'llms.txt'), 'utf8');
  const links = [...list.matchAll(/\]\((\/[^)]*)\)/g)].map(([, link = '']) => link);
  expect(links.length).toBeGreaterThan(40);
  expect(links.filter((link) => !existsSync(join(dist, link)))).toEqual([]);
  expect(readFileSync(join(dist, 'guides/react.md'), 'utf8')).toContain('(/options.md#react)');
});
