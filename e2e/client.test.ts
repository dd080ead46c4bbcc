import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { describe, expect } from 'vitest';
import type * as Tidings from 'tidings/client';
import { userTopic } from '../examples/live/src/shared/api.ts';
import { proxyTo, type CuttableProxy } from './cuttable-proxy.ts';
import { useLiveApp } from './live-app.ts';
import { statusLabel, untilLive } from './page-checks.ts';
import { eventually, screenshot, test } from './test.ts';
import type { Visitor } from './visitor.ts';

const app = useLiveApp();

const built = fileURLToPath(new URL('../packages/tidings/dist/', import.meta.url));

/** The globals that the scripts of these tests add to their page. */
interface PageGlobals {
  tidings: typeof Tidings;
  client: Tidings.EventClient;
  texts: string[];
  log: string[];
}

/** A page of the app's origin with the published form of `tidings/client`, and nothing else. */
async function withClient(page: Page): Promise<void> {
  await page.route('**/tidings/**', async (route) => {
    const path = new URL(route.request().url()).pathname.replace('/tidings/', '');
    const body =
      path === 'start.js'
        ? `import * as tidings from './client/index.js'; Object.assign(globalThis, { tidings, texts: [], log: [] });`
        : await readFile(built + path, 'utf8');
    await route.fulfill({ contentType: 'text/javascript', body });
  });
  await load(page);
}

async function load(page: Page): Promise<void> {
  await page.goto('/healthz');
  await page.addScriptTag({ url: '/tidings/start.js', type: 'module' });
  await page.waitForFunction(() => 'tidings' in globalThis);
}

const texts = (page: Page): Promise<string[]> =>
  page.evaluate(() => (globalThis as unknown as PageGlobals).texts);
const log = (page: Page): Promise<string[]> =>
  page.evaluate(() => (globalThis as unknown as PageGlobals).log);

const openings = async (page: Page): Promise<string[]> =>
  (await log(page)).filter((line) => line.startsWith('opened'));

/** Follows the posts, from `cursor` on if there is one. */
async function followPosts(page: Page, options: Tidings.ClientOptions = {}): Promise<void> {
  await page.evaluate((given) => {
    const globals = globalThis as unknown as PageGlobals;
    const client = globals.tidings.connect('/events', { topics: ['posts'], ...given });
    globals.client = client;
    client.on('post', (event) => globals.texts.push(event.json<{ text: string }>().text));
    client.onStatus((status) => globals.log.push(status));
    client.onOpen(({ resumed, gaps }) => globals.log.push(`opened, resumed ${resumed}, ${gaps.length} gaps`));
  }, options);
  await eventually(() => page.evaluate(() => (globalThis as unknown as PageGlobals).client.status)).toBe(
    'open',
  );
}

/** Chromium's own switch makes pages see no network, but leaves open connections alone. */
async function goOffline(visitor: Visitor, proxy: CuttableProxy): Promise<void> {
  await visitor.context.setOffline(true);
  proxy.block(true);
  proxy.cut();
}

async function goOnline(visitor: Visitor, proxy: CuttableProxy): Promise<void> {
  proxy.block(false);
  await visitor.context.setOffline(false);
}

describe('tidings/client in a browser', () => {
  test('carries several topics on one connection, to listeners and to a loop', async ({ newVisitor }) => {
    const proxy = await proxyTo(app.url);
    const reader = await newVisitor(proxy.url);
    const { id } = await reader.signUp('several');
    const page = await reader.context.newPage();
    await withClient(page);
    await page.evaluate(
      async (topics) => {
        const globals = globalThis as unknown as PageGlobals;
        const client = globals.tidings.connect('/events', { topics });
        const opened = new Promise((resolve) => client.onOpen(resolve));
        client.on('mention', () => globals.texts.push('listener: mention'));
        client.on('viewers:delta', () => globals.texts.push('listener: viewers:delta'));
        void (async () => {
          for await (const { type } of client) globals.log.push(type);
        })();
        await opened;
      },
      ['posts', 'viewers', userTopic(id)],
    );
    const author = await newVisitor(app.url);
    await author.signUp('author_several');
    await author.post('To be read by @several');
    await author.open('/feed');
    await eventually(() => log(page)).toEqual(['viewers:snapshot', 'post', 'mention', 'viewers:delta']);
    expect(await texts(page)).toEqual(['listener: mention', 'listener: viewers:delta']);
    expect(proxy.sent.join('').match(/^GET \/events/gm)).toHaveLength(1);
  });

  test('waits while the browser is offline, and resumes where it was once it is online again', async ({
    newVisitor,
  }) => {
    const proxy = await proxyTo(app.url);
    const reader = await newVisitor(proxy.url);
    const page = await reader.context.newPage();
    await withClient(page);
    await followPosts(page);
    const author = await newVisitor(app.url);
    await author.signUp('author_offline');
    await author.post('Before');
    await eventually(() => texts(page)).toEqual(['Before']);

    await goOffline(reader, proxy);
    await eventually(async () => (await log(page)).at(-1)).toMatch(/waiting|connecting/);
    await author.post('Meanwhile, one');
    await author.post('Meanwhile, two');
    await goOnline(reader, proxy);
    await eventually(() => texts(page)).toEqual(['Before', 'Meanwhile, one', 'Meanwhile, two']);
    await author.post('After');
    await eventually(() => texts(page)).toEqual(['Before', 'Meanwhile, one', 'Meanwhile, two', 'After']);
    const [, ...later] = await openings(page);
    expect(new Set(later)).toEqual(new Set(['opened, resumed true, 0 gaps']));
  });

  test('resumes where it was after a page reload, if its cursor is stored', async ({ newVisitor }) => {
    const reader = await newVisitor(app.url);
    const page = await reader.context.newPage();
    await withClient(page);
    await followPosts(page, { persist: 'posts' });
    const author = await newVisitor(app.url);
    await author.signUp('author_reload');
    await author.post('Before the reload');
    await eventually(() => texts(page)).toEqual(['Before the reload']);

    await page.goto('about:blank');
    await author.post('While there was no page');
    await load(page);
    await followPosts(page, { persist: 'posts' });
    await author.post('After the reload');
    await eventually(() => texts(page)).toEqual(['While there was no page', 'After the reload']);
    expect(new Set(await openings(page))).toEqual(new Set(['opened, resumed true, 0 gaps']));
  });
});

test('a page of the app shows that it is offline, and catches up once it is back', async ({ newVisitor }) => {
  const proxy = await proxyTo(app.url);
  const reader = await newVisitor(proxy.url);
  const page = await reader.open('/feed');
  await untilLive(page);
  const author = await newVisitor(app.url);
  await author.signUp('author_page');
  await goOffline(reader, proxy);
  await eventually(() => statusLabel(page)).toBe('Offline');
  await page.getByTestId('status').click();
  await screenshot(page, 'offline');
  await author.post('While the reader was offline');
  await goOnline(reader, proxy);
  await untilLive(page);
  await page.getByTestId('post').filter({ hasText: 'While the reader was offline' }).waitFor();
});
