import type { BrowserContext, Frame, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { launchChromium } from './chromium.ts';
import { proxyTo } from './cuttable-proxy.ts';
import {
  type BrowserTab,
  errorsOf,
  follow,
  openTab,
  received,
  serveTabs,
  statusOf,
  type TabGlobals,
  type TabServer,
} from './tabs.ts';
import { eventually, test } from './test.ts';

/** Milliseconds. */
const HEARTBEAT = 2_000;

let server: TabServer;

/** A server for the tests of this `describe`. */
function useServer(heartbeat?: number): void {
  beforeAll(async () => {
    server = await serveTabs(heartbeat);
  });
  afterAll(() => server.close());
}

let last = 0;
const publish = async (): Promise<number> => {
  last += 1;
  await server.hub.publish('numbers', last);
  return last;
};

type Tab = Omit<BrowserTab, 'from'>;

async function openShared(context: BrowserContext, url = server.url, client?: 'later'): Promise<Tab> {
  const tab = await openTab(context, url, client);
  await follow(tab.page, server.hub.cursor());
  return tab;
}

const areOpen = async (...pages: readonly Pick<Page, 'evaluate'>[]): Promise<void> => {
  for (const page of pages) await eventually(() => statusOf(page)).toBe('open');
};

const connections = () => eventually(() => server.hub.connections().length);

describe('a page that shares a stream', () => {
  useServer();

  test('has its own in a sandboxed frame, which is of no origin and has neither locks nor storage', async ({
    newVisitor,
  }) => {
    const { context } = await newVisitor(server.url);
    const page = await context.newPage();
    await page.goto(`${server.url}/sandbox`);
    const frame = page.frames().find((each) => each !== page.mainFrame()) as Frame;
    await frame.waitForFunction(() => 'connect' in globalThis);
    expect(await frame.evaluate(() => globalThis.origin)).toBe('null');
    await follow(frame, server.hub.cursor());
    await areOpen(frame);
    await connections().toBe(1);
    const numbers = [await publish(), await publish()];
    await eventually(() => received(frame)).toEqual(numbers);
    expect(await errorsOf(frame)).toEqual([]);
  });

  test.for(['BroadcastChannel', 'locks', 'denied locks'])(
    'has its own without %s',
    async (missing, { newVisitor }) => {
      const { context } = await newVisitor(server.url);
      await context.addInitScript((name) => {
        const deny = (): Promise<never> => Promise.reject(new DOMException('Denied.', 'SecurityError'));
        if (name === 'BroadcastChannel') Reflect.deleteProperty(globalThis, name);
        else if (name === 'locks')
          Object.defineProperty(Navigator.prototype, 'locks', { get: () => undefined });
        else if (isSecureContext) Object.assign(LockManager.prototype, { query: deny, request: deny });
      }, missing);
      const open = async (): Promise<Page> => {
        const page = await context.newPage();
        await page.goto(server.url);
        await page.waitForFunction(() => 'connect' in globalThis);
        await follow(page, server.hub.cursor());
        return page;
      };
      const pages = [await open(), await open()];
      await areOpen(...pages);
      await connections().toBe(2);
      const numbers = [await publish(), await publish()];
      for (const page of pages) await eventually(() => received(page)).toEqual(numbers);
      for (const page of pages) expect(await errorsOf(page)).toEqual([]);
    },
  );

  test('has its own if the code for sharing can’t be loaded, and says so if the code for changes can’t', async ({
    newVisitor,
  }) => {
    const { context } = await newVisitor(server.url);
    await context.route(/\/(sharing|changing-topics)\.js$/, (route) => route.abort());
    const { page } = await openShared(context);
    await areOpen(page);
    const refusal = await page.evaluate(async () => {
      const { client } = globalThis as unknown as TabGlobals;
      return client.subscribe('others').catch((error: unknown) => (error as { code: string }).code);
    });
    expect(refusal).toBe('client/network');
    const number = await publish();
    await eventually(() => received(page)).toEqual([number]);
    expect([await statusOf(page), await errorsOf(page)]).toEqual(['open', []]);
  });

  test('shares with those whose client speaks the same version', async ({ newVisitor }) => {
    const { context } = await newVisitor(server.url);
    const tabs = [await openShared(context), await openShared(context, server.url, 'later')];
    tabs.push(await openShared(context), await openShared(context, server.url, 'later'));
    await areOpen(...tabs.map(({ page }) => page));
    await connections().toBe(2);
    // Other scripts of the page may write whatever they like.
    await tabs[0]?.page.evaluate(async () => {
      const { held = [] } = await navigator.locks.query();
      for (const { name = '' } of held) {
        const channel = new BroadcastChannel(name.replace(/ leader$/, ''));
        for (const rubbish of [null, 'ping', { type: 'join' }, { type: 'events', term: 'x', n: 1 }])
          channel.postMessage(rubbish);
      }
    });
    const number = await publish();
    for (const { page } of tabs) await eventually(() => received(page)).toEqual([number]);
    await tabs.shift()?.page.close();
    const next = await publish();
    for (const { page } of tabs) await eventually(() => received(page)).toEqual([number, next]);
    await connections().toBe(2);
  });

  test('shares with a worker', async ({ newVisitor }) => {
    const { context } = await newVisitor(server.url);
    const { page } = await openShared(context);
    await areOpen(page);
    await page.evaluate(() => {
      const said: unknown[] = [];
      new Worker('/worker.js', { type: 'module' }).onmessage = ({ data }) => said.push(data);
      Object.assign(globalThis, { said });
    });
    const said = () => page.evaluate(() => (globalThis as unknown as { said: unknown[] }).said);
    await eventually(said).toEqual(['open']);
    const number = await publish();
    await eventually(said).toEqual(['open', number]);
    await connections().toBe(1);
    await page.close();
  });
});

describe('a page that shares a stream with a heartbeat every two seconds', () => {
  // Its clients take a machine that stands still for seconds for a silent network, so the other tests don't use it.
  useServer(HEARTBEAT);

  test('says that the network has gone silent if another tab leads, and goes on once it is back', async ({
    newVisitor,
  }) => {
    const proxy = await proxyTo(server.url);
    const { context } = await newVisitor(proxy.url);
    const leader = await openShared(context, proxy.url);
    await areOpen(leader.page);
    const followers = [await openShared(context, proxy.url), await openShared(context, proxy.url)];
    const pages = [leader, ...followers].map(({ page }) => page);
    await areOpen(...pages);
    await connections().toBe(1);
    const first = await publish();
    for (const page of pages) await eventually(() => received(page)).toEqual([first]);

    // Heartbeats reach those who follow.
    const heardAt = (page: Page) =>
      page.evaluate(() => (globalThis as unknown as TabGlobals).client.heardAt ?? 0);
    for (const page of pages) {
      const before = await heardAt(page);
      await eventually(() => heardAt(page)).toBeGreaterThan(before);
    }

    // How long nothing came before a page's client gave the stream up.
    for (const page of pages) {
      await page.evaluate(() => {
        const { client } = globalThis as unknown as TabGlobals;
        const silences: number[] = [];
        client.onStatus(() => silences.push(Date.now() - (client.heardAt ?? 0)));
        Object.assign(globalThis, { silences });
      });
    }
    proxy.hold(true);
    const missed = [await publish(), await publish()];
    for (const page of pages) await eventually(() => statusOf(page)).not.toBe('open');
    // A page that shows `heardAt` can say it from the first missed heartbeat on.
    for (const page of pages) {
      const [silence] = await page.evaluate(() => (globalThis as unknown as { silences: number[] }).silences);
      expect(silence).toBeGreaterThan(2 * HEARTBEAT);
    }
    for (const page of pages) await eventually(async () => (await errorsOf(page)).length).toBeGreaterThan(0);
    expect((await errorsOf(pages[1] as Page))[0]).toContain('sent nothing');

    proxy.hold(false);
    await areOpen(...pages);
    const later = await publish();
    for (const page of pages) await eventually(() => received(page)).toEqual([first, ...missed, later]);
    await connections().toBe(1);
  });
});

describe('a page in the back/forward cache', () => {
  useServer();

  test('has missed nothing when it comes back, whether it led or followed', async ({ skip }) => {
    const browser = await launchChromium({ skip }, { ignoreDefaultArgs: ['--disable-back-forward-cache'] });
    try {
      const context = await browser.newContext();
      const tabs = [await openShared(context)];
      await areOpen(...tabs.map(({ page }) => page));
      tabs.push(await openShared(context), await openShared(context));
      const pages = tabs.map(({ page }) => page);
      await areOpen(...pages);
      const numbers = [await publish()];
      for (const page of pages) await eventually(() => received(page)).toEqual(numbers);
      for (const page of pages.slice(0, 2)) {
        await page.goto(`${server.url}/elsewhere`);
        numbers.push(await publish());
        await eventually(() => received(pages[2] as Page)).toEqual(numbers);
        // A page from the cache is not loaded.
        await page.goBack({ waitUntil: 'commit' });
        numbers.push(await publish());
        for (const each of pages) await eventually(() => received(each)).toEqual(numbers);
        expect(await page.evaluate(() => (globalThis as unknown as TabGlobals).returned)).toBe(true);
      }
      await areOpen(...pages);
      await connections().toBe(1);
      for (const page of pages) expect(await errorsOf(page)).toEqual([]);
    } finally {
      await browser.close();
    }
  });
});
