import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect } from 'vitest';
import { createHub, forbidden, type Hub, memoryLog } from 'tidings';
import { sse } from 'tidings/node';
import { bundleApp, type ReactVersion } from './react/bundle.ts';
import { eventually, test } from './test.ts';

for (const version of [19, 18] as const) {
  describe(`the hooks with React ${version}`, () => {
    const app = serveApp(version);

    test('load once for a list in strict mode', async ({ newVisitor }) => {
      // Without a topic that tells of its members: joining one is an event, and what was loaded before it may lack others.
      const page = await app.open(newVisitor, ['latest', 'list', 'toasts']);
      await eventually(() => text(page, 'connection')).toBe('open');
      await eventually(() => text(page, 'list')).toBe('');
      expect(app.requests.filter((line) => line.startsWith('GET /events'))).toHaveLength(1);
      expect(app.requests.filter((line) => line.startsWith('GET /items'))).toHaveLength(1);
    });

    test('open one connection for a page in strict mode, and leak none', async ({ newVisitor }) => {
      const page = await app.open(newVisitor, ['latest', 'latest-2', 'list', 'toasts', 'presence']);
      await eventually(() => topicsOf(app.hub)).toEqual([['items', 'load', 'presence/room/1', 'room/1']]);
      await eventually(() => text(page, 'connection')).toBe('open');
      expect(app.requests.filter((line) => line.startsWith('GET /events'))).toHaveLength(1);
      expect(app.requests.filter((line) => line.startsWith('POST'))).toEqual([]);

      await page.evaluate(() => provide(false));
      await eventually(() => app.hub.connections()).toEqual([]);
      await page.evaluate(() => provide(true));
      await eventually(() => topicsOf(app.hub)).toEqual([['items', 'load', 'presence/room/1', 'room/1']]);
    });

    test('two components share a topic, and one of them may go', async ({ newVisitor }) => {
      const page = await app.open(newVisitor, ['latest', 'latest-2', 'sum']);
      await app.hub.publish('load', 1, { key: 'cpu', type: 'cpu' });
      await eventually(() => text(page, 'latest-2')).toBe('1');
      await show(page, ['latest', 'sum']);
      await app.hub.publish('load', 2, { key: 'cpu', type: 'cpu' });
      await eventually(() => text(page, 'latest')).toBe('2');
      await eventually(() => topicsOf(app.hub)).toEqual([['items', 'load']]);
      await show(page, ['sum']);
      await eventually(() => topicsOf(app.hub)).toEqual([['items']]);
      await show(page, []);
      await eventually(() => app.hub.connections()).toEqual([]);
      await eventually(() => text(page, 'connection')).toBe('idle');
    });

    test('a component that comes late has the value of a state at once', async ({ newVisitor }) => {
      await app.hub.publish('load', 7, { key: 'cpu', type: 'cpu' });
      await app.hub.publish('load', 9, { key: 'mem', type: 'mem' });
      const page = await app.open(newVisitor, ['latest']);
      await eventually(() => text(page, 'latest')).toBe('7');
      await show(page, ['latest', 'memory', 'states']);
      await eventually(() => text(page, 'memory')).toBe('9');
      await eventually(() => text(page, 'states')).toBe('{"cpu":7,"mem":9}');
      // Those who came first are as they were, and the request for the values has ended.
      expect(await text(page, 'latest')).toBe('7');
      await eventually(() => app.hub.connections().length).toBe(1);
    });

    test('a list misses nothing and has nothing twice, whenever events come', async ({ newVisitor }) => {
      let publishing = true;
      const published = (async () => {
        for (let i = 0; publishing; i += 1) {
          await app.publishItem();
          if (i % 3 === 0) await new Promise(setImmediate);
        }
      })();
      const page = await app.open(newVisitor, ['list', 'list-2']);
      await eventually(() => text(page, 'list')).toMatch(/,/);
      await show(page, ['list', 'list-2', 'list-3']);
      // It was loaded, and may be loading again: events come faster than a slow page reads them.
      await eventually(() => text(page, 'list-3')).toMatch(/\d,/);
      await app.cut();
      await eventually(() => app.hub.connections().length).toBe(1);
      publishing = false;
      await published;
      const expected = app.items
        .slice(-50)
        .map(({ id }) => id)
        .join();
      for (const name of ['list', 'list-2', 'list-3'])
        await eventually(() => text(page, name)).toBe(expected);
    });

    test('a list is loaded again when events were lost', async ({ newVisitor }) => {
      const page = await app.open(newVisitor, ['list']);
      await app.publishItem();
      await eventually(() => text(page, 'list')).toBe(
        app.items
          .slice(-50)
          .map(({ id }) => id)
          .join(),
      );
      await page.context().setOffline(true);
      await app.cut();
      // More than the log keeps.
      for (let i = 0; i < 300; i += 1) await app.publishItem();
      await page.context().setOffline(false);
      await eventually(() => text(page, 'list')).toBe(
        app.items
          .slice(-50)
          .map(({ id }) => id)
          .join(),
      );
      expect(app.requests.filter((line) => line.startsWith('GET /items')).length).toBeGreaterThan(1);
    });

    test('presence counts people, and those who leave', async ({ newVisitor }) => {
      const ann = await app.open(newVisitor, ['presence']);
      const bob = await app.open(newVisitor, ['presence']);
      await eventually(() => text(ann, 'presence')).toBe('2');
      await show(bob, []);
      await eventually(() => text(ann, 'presence')).toBe('1');
    });

    test('a topic that is refused harms no other', async ({ newVisitor }) => {
      const page = await app.open(newVisitor, ['latest']);
      await eventually(() => text(page, 'connection')).toBe('open');
      await show(page, ['latest', 'secret', 'toasts']);
      await eventually(() => text(page, 'connection')).toBe('open auth/forbidden');
      await eventually(() => topicsOf(app.hub)).toEqual([['items', 'load']]);
      const id = await app.publishItem();
      await eventually(() => text(page, 'toasts')).toBe(String(id));
      expect(await text(page, 'secret')).toBe('hidden');
    });

    test('many components show one value at any time', async ({ newVisitor }) => {
      const names = Array.from({ length: 60 }, (_, i) => `latest-${i}`);
      const page = await app.open(newVisitor, names);
      await eventually(() => text(page, 'connection')).toBe('open');
      await page.evaluate(() => {
        const seen = { torn: 0, renders: 0 };
        Object.assign(globalThis, { seen });
        new MutationObserver(() => {
          const texts = new Set(
            [...document.querySelectorAll('.latest')].map((element) => element.textContent),
          );
          seen.renders += 1;
          if (texts.size > 1) seen.torn += 1;
        }).observe(document.body, { subtree: true, characterData: true, childList: true });
      });
      for (let i = 1; i <= 200; i += 1) {
        await app.hub.publish('load', i, { key: 'cpu', type: 'cpu' });
        // However slow the page is, it renders between two of these.
        if (i % 40 === 0) await eventually(() => text(page, 'latest-59')).toBe(String(i));
      }
      const seen = await page.evaluate(
        () => (globalThis as unknown as { seen: { torn: number; renders: number } }).seen,
      );
      expect(seen.torn).toBe(0);
      expect(seen.renders).toBeGreaterThan(1);
    });

    test('a page from the server is hydrated as it is', async ({ newVisitor }) => {
      const { origin } = app;
      const visitor = await newVisitor(origin);
      const page = await visitor.open('/rendered?show=latest&show=states&show=list&show=presence');
      const complaints: string[] = [];
      page.on('console', (message) => {
        if (message.type() === 'error') complaints.push(message.text());
      });
      expect(await (await fetch(`${origin}/rendered?show=latest&show=list`)).text()).toContain('-1');
      await page.reload();
      await app.hub.publish('load', 3, { key: 'cpu', type: 'cpu' });
      await eventually(() => text(page, 'latest')).toBe('3');
      expect(complaints).toEqual([]);
    });

    test('tabs that share a stream have one connection, also after the leading tab is closed', async ({
      newVisitor,
    }) => {
      const visitor = await newVisitor(app.origin);
      const first = await visitor.open('/?shared&show=latest&show=toasts');
      await eventually(() => text(first, 'connection')).toBe('open');
      const second = await visitor.open('/?shared&show=latest&show=latest-2&show=list');
      const third = await visitor.open('/?shared&show=toasts');
      for (const page of [second, third]) await eventually(() => text(page, 'connection')).toBe('open');
      await eventually(() => topicsOf(app.hub)).toEqual([['items', 'load']]);
      await app.hub.publish('load', 1, { key: 'cpu', type: 'cpu' });
      for (const [page, name] of [
        [first, 'latest'],
        [second, 'latest'],
        [second, 'latest-2'],
      ] as const)
        await eventually(() => text(page, name)).toBe('1');
      const one = await app.publishItem();
      for (const page of [first, third]) await eventually(() => text(page, 'toasts')).toBe(String(one));

      // A component goes: neither its tab's other one nor another tab loses the topic.
      await show(first, ['toasts']);
      await show(second, ['latest', 'list']);
      await app.hub.publish('load', 2, { key: 'cpu', type: 'cpu' });
      await eventually(() => text(second, 'latest')).toBe('2');

      // The first tab leads: it asked first.
      await first.close();
      const two = await app.publishItem();
      await app.hub.publish('load', 3, { key: 'cpu', type: 'cpu' });
      await app.hub.publish('load', 4, { key: 'mem', type: 'mem' });
      await eventually(() => text(second, 'latest')).toBe('3');
      await eventually(() => text(third, 'toasts')).toBe(`${one},${two}`);
      await eventually(() => text(second, 'list')).toMatch(new RegExp(`(^|,)${one},${two}$`));
      await eventually(() => topicsOf(app.hub)).toEqual([['items', 'load']]);

      // A component that comes late has the values of states, in a tab that leads and in one that follows.
      for (const page of [second, third]) await show(page, ['toasts', 'latest', 'memory', 'states']);
      for (const page of [second, third]) {
        await eventually(() => text(page, 'memory')).toBe('4');
        await eventually(() => text(page, 'states')).toBe('{"cpu":3,"mem":4}');
      }

      // Without a provider a page takes no part, and with one it does again.
      await third.evaluate(() => provide(false));
      await eventually(() => text(third, 'connection')).toBe(null);
      const three = await app.publishItem();
      await third.evaluate(() => provide(true));
      await eventually(() => text(third, 'connection')).toBe('open');
      const four = await app.publishItem();
      await eventually(() => text(third, 'toasts')).toMatch(new RegExp(`(^|,)${four}$`));
      expect(await text(third, 'toasts')).not.toContain(String(three));
      await eventually(() => app.hub.connections().length).toBe(1);
      for (const page of [second, third]) await eventually(() => text(page, 'connection')).toBe('open');
    });

    test('a client of the app stays open and keeps its own topics', async ({ newVisitor }) => {
      const page = await app.open(newVisitor, ['latest'], '&own=1');
      await eventually(() => topicsOf(app.hub)).toEqual([['load', 'mine']]);
      await app.hub.publish('load', 5, { key: 'cpu', type: 'cpu' });
      await eventually(() => text(page, 'latest')).toBe('5');
      await page.evaluate(() => provide(false));
      await eventually(() => topicsOf(app.hub)).toEqual([['mine']]);
      await eventually(() => page.evaluate(() => globalThis.client?.status)).toBe('open');
    });
  });
}

const text = (page: Page, id: string): Promise<string | null> =>
  page.evaluate((name) => document.getElementById(name)?.textContent ?? null, id);

const show = (page: Page, names: readonly string[]): Promise<void> =>
  page.evaluate((given) => globalThis.show(given), names);

const topicsOf = (hub: Hub): string[][] =>
  hub
    .connections()
    .map(({ topics }) => topics.map((topic) => JSON.stringify(topic).replaceAll('"', '')).sort());

interface ServedApp {
  readonly origin: string;
  readonly hub: Hub;
  readonly items: readonly { readonly id: number }[];
  /** Of the test so far: method and URL. */
  readonly requests: readonly string[];
  publishItem(): Promise<number>;
  /** Ends all connections, and waits until they are gone. */
  cut(): Promise<void>;
  open(newVisitor: NewVisitor, names: readonly string[], more?: string): Promise<Page>;
}

type NewVisitor = (origin: string) => Promise<{ open(path: string): Promise<Page> }>;

function serveApp(version: ReactVersion): ServedApp {
  const requests: string[] = [];
  const items: { id: number }[] = [];
  let server: Server;
  let hub: Hub;
  let origin = '';

  beforeAll(async () => {
    const script = await bundleApp(version, 'e2e/react/app.tsx', 'browser');
    const rendered = await importText(await bundleApp(version, 'e2e/react/rendered.tsx', 'node'));
    hub = createHub({
      log: memoryLog({ topics: [{ match: 'load', state: true }], retention: { events: 200 } }),
      presence: [{ match: { pattern: 'room/:id' }, grace: 0, interval: 10 }],
      retry: 50,
    });
    const events = sse(hub, {
      authorize: (_, wanted) => {
        if (wanted.includes('secret')) throw forbidden();
        return {};
      },
    });
    server = createServer((request, response) => {
      const url = new URL(request.url ?? '/', origin);
      requests.push(`${request.method} ${request.url}`);
      if (url.pathname === '/events') return events(request, response);
      if (url.pathname === '/script.js') {
        return void response.setHeader('content-type', 'text/javascript').end(script);
      }
      if (url.pathname === '/items') {
        const cursor = hub.cursor();
        return void response
          .setHeader('content-type', 'application/json')
          .end(JSON.stringify({ items: items.slice(-50), cursor }));
      }
      const html = url.pathname === '/rendered' ? rendered(url.searchParams.getAll('show')) : '';
      return void response
        .setHeader('content-type', 'text/html')
        .end(
          `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><div id="root">${html}</div><script type="module" src="/script.js"></script>`,
        );
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  beforeEach(async () => {
    await eventually(() => hub.connections().length).toBe(0);
    requests.length = 0;
  });

  afterAll(async () => {
    await hub.close({ within: 0 });
    server.closeAllConnections();
    server.close();
  });

  return {
    get origin() {
      return origin;
    },
    get hub() {
      return hub;
    },
    items,
    requests,
    async publishItem() {
      const item = { id: items.length + 1 };
      items.push(item);
      await hub.publish('items', item, { type: 'item' });
      return item.id;
    },
    async cut() {
      const gone = hub.connections().map(({ id }) => id);
      hub.disconnect(() => true, { retry: 50 });
      await eventually(() => hub.connections().filter(({ id }) => gone.includes(id))).toEqual([]);
    },
    async open(newVisitor, names, more = '') {
      const visitor = await newVisitor(origin);
      return visitor.open(`/?${names.map((name) => `show=${name}`).join('&')}${more}`);
    },
  };
}

/** Imports a bundle for Node. */
async function importText(code: string): Promise<(names: readonly string[]) => string> {
  const folder = await mkdtemp(join(tmpdir(), 'tidings-react-'));
  try {
    const file = join(folder, 'rendered.mjs');
    await writeFile(file, code);
    const { html } = (await import(pathToFileURL(file).href)) as {
      html: (names: readonly string[]) => string;
    };
    return html;
  } finally {
    await rm(folder, { recursive: true });
  }
}
