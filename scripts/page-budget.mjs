// The cost of a page of the live app to its visitor: bytes and requests, first paint, first event. Exits with 1 if a budget
// is exceeded. Needs the build, and Chromium.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { chromium as need } from './needs.mjs';

const app = fileURLToPath(new URL('../examples/live/dist/server/main.js', import.meta.url));

/** Times are the best of so many loads: another program's load is not the page's. */
const LOADS = 3;
const MOST = {
  /** Milliseconds, from the navigation. On a busy machine of CI they are several times what a visitor waits. */
  firstPaint: 2_000,
  firstEvent: 4_000,
  requests: 24,
};
/** Kilobytes (1,000 bytes) over the network with an empty cache, fonts included. */
const KILOBYTES = { '/': 115, '/feed': 92, '/dashboard': 112, '/analytics': 138, '/connections': 90 };

/** @typedef {{ firstPaint: number, firstEvent: number, kilobytes: number, requests: number }} Load */

/** @param {import('playwright-core').Browser} browser @param {string} url @returns {Promise<Load>} */
async function load(browser, url) {
  const context = await browser.newContext();
  const page = await context.newPage();
  const session = await context.newCDPSession(page);
  await session.send('Network.enable');
  /** @type {Map<string, string>} */
  const urls = new Map();
  let [bytes, requests] = [0, 0];
  session.on('Network.requestWillBeSent', ({ requestId, request }) => urls.set(requestId, request.url));
  session.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    const path = new URL(urls.get(requestId) ?? url).pathname;
    if (path === '/events') return;
    bytes += encodedDataLength;
    requests += 1;
  });
  await page.addInitScript(() => {
    // The indicator turns to "Live" with the first event of the stream, the hub's welcome.
    new MutationObserver((_changes, observer) => {
      if (document.querySelector('[data-tone=live] .status-label') === null) return;
      observer.disconnect();
      performance.mark('first-event');
    }).observe(document, { childList: true, subtree: true, attributes: true, characterData: true });
  });
  await page.goto(url);
  await page.waitForFunction(() => performance.getEntriesByName('first-event').length > 0);
  await page.waitForFunction(() => performance.getEntriesByName('first-contentful-paint').length > 0);
  await page.evaluate(() => document.fonts.ready.then(() => undefined));
  const [firstPaint = NaN, firstEvent = NaN] = await page.evaluate(() =>
    ['first-contentful-paint', 'first-event'].map(
      (name) => performance.getEntriesByName(name)[0]?.startTime ?? NaN,
    ),
  );
  await context.close();
  return { firstPaint, firstEvent, kilobytes: bytes / 1000, requests };
}

async function startApp() {
  const folder = mkdtempSync(join(tmpdir(), 'tidings-budget-'));
  const child = spawn(process.execPath, [app], {
    env: {
      PATH: process.env['PATH'],
      PORT: '0',
      HOST: '127.0.0.1',
      DATABASE_FILE: join(folder, 'live.sqlite'),
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface(child.stdout);
  const [line] = await once(lines, 'line', { signal: AbortSignal.timeout(60_000) });
  const { url } = /** @type {{ url: string }} */ (JSON.parse(String(line)));
  return {
    url,
    async stop() {
      const exit = once(child, 'exit');
      child.kill('SIGTERM');
      await exit;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function main() {
  const executablePath = need.find();
  if (executablePath === undefined) {
    console.error(`${need.name} is missing: ${need.howTo}`);
    return process.env['CI'] === 'true' ? 1 : 0;
  }
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  const server = await startApp();
  const browser = await chromium.launch({ executablePath, args });
  let exceeded = 0;
  try {
    for (const [path, kilobytes] of Object.entries(KILOBYTES)) {
      /** @type {Load[]} */
      const loads = [];
      for (let count = 0; count < LOADS; count += 1) loads.push(await load(browser, server.url + path));
      for (const [name, most, unit] of /** @type {const} */ ([
        ['kilobytes', kilobytes, 'kB'],
        ['requests', MOST.requests, 'requests'],
        ['firstPaint', MOST.firstPaint, 'ms to the first paint'],
        ['firstEvent', MOST.firstEvent, 'ms to the first event'],
      ])) {
        const best = Math.min(...loads.map((each) => each[name]));
        const fits = best <= most;
        exceeded += fits ? 0 : 1;
        console.log(`${fits ? 'ok      ' : 'EXCEEDED'} ${path}: ${best.toFixed(0)} ${unit}, budget ${most}`);
      }
    }
  } finally {
    await browser.close();
    await server.stop();
  }
  return exceeded === 0 ? 0 : 1;
}

process.exitCode = await main();
