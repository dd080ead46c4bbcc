import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BrowserContext, CDPSession, Page } from 'playwright-core';
import { createHub, type Hub } from 'tidings';
import type * as Tidings from 'tidings/client';
import { sse } from 'tidings/node';
import { DEADLINE } from '../scripts/deadline.ts';

const built = fileURLToPath(new URL('../packages/tidings/dist/', import.meta.url));

/** A strict policy: whatever the client did beyond it would fail. */
const POLICY =
  "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'; frame-src 'self'; img-src data:";

const html = `<!doctype html><title>Tab</title><link rel="icon" href="data:,">
<script type="module" src="/page.js"></script>`;
const sandbox = `<!doctype html><title>Around a sandbox</title><link rel="icon" href="data:,">
<iframe sandbox="allow-scripts" src="/"></iframe>`;
const script = `
const query = new URLSearchParams(location.search);
const { connect } = await import(query.get('client') ?? '/tidings/client/index.js');
// By this lock, a test finds out which tab leads.
if (query.has('n')) navigator.locks.request('tab ' + query.get('n'), () => new Promise(() => {}));
Object.assign(globalThis, { connect, received: [], errors: [], returned: false });
addEventListener('pageshow', ({ persisted }) => (globalThis.returned ||= persisted));
`;
const worker = `
import { connect } from '/tidings/client/index.js';
const client = connect('/events', { topics: ['numbers'], shared: true });
client.onOpen(() => postMessage('open'));
client.onError((error) => postMessage(error.message));
client.on('message', (event) => postMessage(event.json()));
`;
/** The client with another version of the messages between tabs, as during a deployment. */
const LATER = '/later/';

/** A hub on HTTP/1.1, and empty pages that know the client. */
export interface TabServer {
  readonly hub: Hub;
  readonly url: string;
  /** Streams that are open, by the requests. */
  streams(): number;
  close(): Promise<void>;
}

export async function serveTabs(heartbeat = 15_000): Promise<TabServer> {
  const hub = createHub({ heartbeat });
  // A sandboxed frame is of no origin.
  const handle = sse(hub, { cors: { origin: '*' } });
  let streams = 0;
  const server: Server = createServer((req, res) => {
    const { pathname } = new URL(req.url ?? '', 'http://localhost');
    if (pathname === '/events') {
      streams += 1;
      res.once('close', () => (streams -= 1));
      return handle(req, res);
    }
    if (extname(pathname) !== '.js') {
      res.setHeader('content-type', 'text/html').setHeader('content-security-policy', POLICY);
      return void res.end(pathname === '/sandbox' ? sandbox : html);
    }
    res.setHeader('access-control-allow-origin', '*');
    readScript(pathname).then(
      (file) => res.setHeader('content-type', 'text/javascript').end(file),
      () => res.writeHead(404).end(),
    );
    return undefined;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    hub,
    url: `http://127.0.0.1:${port}`,
    streams: () => streams,
    async close() {
      await hub.close({ within: 0 });
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function readScript(path: string): Promise<string> {
  if (path === '/page.js') return script;
  if (path === '/worker.js') return worker;
  const file = await readFile(built + path.replace(/^\/\w+\//, ''), 'utf8');
  if (!path.startsWith(LATER)) return file;
  return file.replace(
    /MESSAGES_VERSION = (\d+)/,
    (_, version) => `MESSAGES_VERSION = ${Number(version) + 1}`,
  );
}

/** The globals of a tab's script. */
export interface TabGlobals {
  connect: typeof Tidings.connect;
  client: Tidings.EventClient;
  received: number[];
  errors: string[];
  /** The page came back from the back/forward cache. */
  returned: boolean;
}

export interface BrowserTab {
  readonly n: number;
  readonly page: Page;
  readonly session: CDPSession;
  /** It gets everything published after so many events. */
  readonly from: number;
}

let count = 0;

/** @param client where its script is. */
export async function openTab(
  context: BrowserContext,
  url: string,
  client?: 'later',
): Promise<Omit<BrowserTab, 'from'>> {
  count += 1;
  const page = await context.newPage();
  page.setDefaultTimeout(DEADLINE);
  const more = client === undefined ? '' : `&client=${LATER}client/index.js`;
  await page.goto(`${url}/?n=${count}${more}`);
  await page.waitForFunction(() => 'connect' in globalThis);
  return { n: count, page, session: await context.newCDPSession(page) };
}

/** Follows `numbers` from a cursor on, by the stream that all tabs share. */
export async function follow(page: Pick<Page, 'evaluate'>, cursor: string): Promise<void> {
  await page.evaluate((from) => {
    const globals = globalThis as unknown as TabGlobals;
    const client = globals.connect('/events', {
      topics: ['numbers'],
      cursor: from,
      persist: `numbers ${from}`,
      shared: true,
    });
    globals.client = client;
    client.on('message', (event) => globals.received.push(event.json()));
    // For a tab that follows, the leader's error is the cause.
    client.onError(({ message, cause }) => {
      globals.errors.push(`${message} ${(cause as Error | undefined)?.message ?? ''}`);
    });
    client.onGap((gaps) => globals.errors.push(JSON.stringify(gaps)));
  }, cursor);
}

export const received = (page: Pick<Page, 'evaluate'>): Promise<number[]> =>
  page.evaluate(() => (globalThis as unknown as TabGlobals).received);
/** The newest number that a tab received. */
export const lastReceived = (page: Pick<Page, 'evaluate'>): Promise<number | undefined> =>
  page.evaluate(() => (globalThis as unknown as TabGlobals).received.at(-1));
export const statusOf = (page: Pick<Page, 'evaluate'>): Promise<string> =>
  page.evaluate(() => (globalThis as unknown as TabGlobals).client.status);

export const errorsOf = (page: Pick<Page, 'evaluate'>): Promise<string[]> =>
  page.evaluate(() => (globalThis as unknown as TabGlobals).errors);

/** @returns the number of the tab that leads, as the browser knows it. */
export async function leaderSeenFrom(page: Page): Promise<number | undefined> {
  return page.evaluate(async () => {
    const { held = [] } = await navigator.locks.query();
    const leader = held.find(({ name }) => name?.endsWith(' leader') === true)?.clientId;
    const own = held.find(({ name, clientId }) => clientId === leader && name?.startsWith('tab ') === true);
    return own === undefined ? undefined : Number(own.name?.slice('tab '.length));
  });
}

/**
 * Nothing of the page runs from here on, as in a page that the browser has frozen. `told`: with the event that comes
 * before. Chromium itself freezes only hidden pages, and without a window none is hidden.
 */
export async function freeze({ page, session }: Omit<BrowserTab, 'from'>, told: boolean): Promise<void> {
  if (told) await page.evaluate(() => document.dispatchEvent(new Event('freeze')));
  await session.send('Debugger.enable');
  await session.send('Debugger.pause');
}

export async function thaw({ page, session }: Omit<BrowserTab, 'from'>): Promise<void> {
  await session.send('Debugger.disable');
  await page.evaluate(() => document.dispatchEvent(new Event('resume')));
}
