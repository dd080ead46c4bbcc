import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { ADMIN_TOKEN, type InProcess, startInProcess } from '../packages/server/test/in-process.ts';
import { accessibilityProblems, overflowing, rulesFor } from './page-checks.ts';
import { eventually, screenshotOfAll, test } from './test.ts';
import type { Visitor } from './visitor.ts';

const VIEWS = ['overview', 'connections', 'topics', 'tail', 'publish', 'nodes', 'webhooks'] as const;

let server: InProcess;
/** A receiver that fails always. */
const receiver = createServer((_request, response) => void response.writeHead(500).end());
const streams = new AbortController();

beforeAll(async () => {
  await new Promise<void>((resolve) => void receiver.listen(0, '127.0.0.1', resolve));
  const { port } = receiver.address() as AddressInfo;
  server = await startInProcess({
    presence: [{ pattern: 'room/:id', interval: '10ms', grace: '0', members: 5 }],
    webhooks: [
      {
        name: 'app',
        url: `http://127.0.0.1:${port}/hooks/tidings`,
        events: ['connect', 'disconnect', 'presence'],
        secrets: ['a-secret-of-a-webhook-for-tests'],
      },
    ],
  });
  for (let n = 0; n < 6; n += 1) await connect(`topic=room/${n % 2}&topic=orders/${n}&pattern=news/*`);
});
afterAll(async () => {
  streams.abort();
  receiver.closeAllConnections();
  receiver.close();
  await server.close();
});

/** A stream that stays open until the end. */
async function connect(query: string): Promise<void> {
  const response = await fetch(`${server.publicUrl}/v1/events?${query}`, { signal: streams.signal });
  void (async () => {
    for await (const _ of response.body ?? []);
  })().catch(() => {});
}

async function signIn(visitor: Visitor, view = ''): Promise<Page> {
  const page = await visitor.open(`/console/${view}`);
  await page.getByLabel('Token of the admin API').fill(ADMIN_TOKEN);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await eventually(() => page.getByTestId('health').innerText()).toBe('Ready');
  return page;
}

describe.each([
  { device: 'desktop', size: { viewport: { width: 1280, height: 800 } } },
  { device: 'phone', size: { viewport: { width: 375, height: 740 }, isMobile: true, hasTouch: true } },
])('on a $device', ({ device, size }) => {
  test.for(['light', 'dark'] as const)(
    'every view of the console fits the window and is accessible, in %s colours',
    async (colorScheme, { newVisitor }) => {
      const visitor = await newVisitor(server.internalUrl, { ...size, colorScheme });
      const page = await visitor.open('/console/');
      expect.soft(await accessibilityProblems(page, rulesFor(colorScheme)), 'sign in').toEqual([]);
      await screenshotOfAll(page, `console sign in ${device} ${colorScheme}`);
      await page.close();
      const signedIn = await signIn(visitor);
      for (const view of VIEWS) {
        await signedIn.locator(`#views a[href="#${view}"]`).click();
        await signedIn.locator(`section#${view}`).waitFor();
        await fill(signedIn, view);
        expect.soft(await overflowing(signedIn), view).toEqual([]);
        expect.soft(await accessibilityProblems(signedIn, rulesFor(colorScheme)), view).toEqual([]);
        await screenshotOfAll(signedIn, `console ${view} ${device} ${colorScheme}`);
      }
      expect(visitor.failedRequests).toEqual([]);
    },
  );
});

/** Waits until a view shows what it has. */
async function fill(page: Page, view: (typeof VIEWS)[number]): Promise<void> {
  if (view === 'overview') await eventually(() => page.locator('#tiles dd').count()).toBe(10);
  if (view === 'connections')
    await eventually(() => page.getByTestId('connection').count()).toBeGreaterThan(5);
  if (view === 'topics') {
    await page.getByRole('button', { name: 'Presence on room/0' }).click();
    await eventually(() => page.getByTestId('presence-count').innerText()).toMatch(/^3 members/);
  }
  if (view === 'tail') {
    await eventually(() => page.getByTestId('tail-state').innerText()).toContain('Following');
    await server.publish({
      topics: ['orders/1', 'news/today'],
      data: { total: 42, items: ['a pen', 'ink'] },
      type: 'order',
    });
    await server.publish({ topics: 'news/today', data: 'private '.repeat(30), private: true });
    await eventually(() => page.getByTestId('event').count()).toBeGreaterThanOrEqual(2);
  }
  if (view === 'nodes') await page.getByTestId('node').waitFor();
  if (view === 'webhooks')
    await eventually(() => page.locator('#webhook-rows').innerText()).toContain('answered 500');
}

test('a wrong token is refused, and a right one is kept for this tab alone', async ({ newVisitor }) => {
  const visitor = await newVisitor(server.internalUrl);
  const page = await visitor.open('/');
  await page.getByLabel('Token of the admin API').fill('wrong');
  await page.keyboard.press('Enter');
  await eventually(() => page.getByRole('alert').first().innerText()).toContain('not the token');
  await page.close();
  const signedIn = await signIn(visitor, '#nodes');
  await signedIn.getByTestId('node').waitFor();
  await signedIn.reload();
  await signedIn.getByTestId('node').waitFor();
  expect(await signedIn.evaluate(() => [Object.keys(localStorage), document.cookie])).toEqual([[], '']);
  const other = await visitor.open('/console/');
  await other.getByLabel('Token of the admin API').waitFor();
  await signedIn.getByRole('button', { name: 'Sign out' }).click();
  await eventually(() => signedIn.evaluate(() => sessionStorage.length)).toBe(0);
});

test('a stream is found and disconnected with the keyboard alone', async ({ newVisitor }) => {
  await connect('topic=to-disconnect');
  const page = await signIn(await newVisitor(server.internalUrl), '#connections');
  await page.getByLabel('Search').first().fill('to-disconnect');
  await eventually(() => page.getByTestId('connection').count()).toBe(1);
  await eventually(() => page.getByTestId('connections-count').innerText()).toMatch(/^1 of \d+ streams/);
  await page
    .getByRole('button', { name: /^Disconnect/ })
    .first()
    .focus();
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  await page.keyboard.press('Escape');
  expect(await page.getByTestId('connection').count()).toBe(1);
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await eventually(() => page.getByTestId('connection').count()).toBe(0);
});

test('what is published by hand shows in the tail, which filters, pauses and keeps a bounded list', async ({
  newVisitor,
}) => {
  const visitor = await newVisitor(server.internalUrl);
  const page = await signIn(visitor, '#tail');
  await page.getByRole('textbox', { name: 'Topics' }).first().fill('by-hand/*');
  const state = (): Promise<string> => page.getByTestId('tail-state').innerText();
  await eventually(state).toContain('Nothing has been published');
  // Until the new stream is open, nothing is followed.
  let open = (): void => undefined;
  const released = new Promise<void>((resolve) => (open = resolve));
  await page.route(/\/tail\?/, async (route) => {
    await released;
    await route.continue();
  });
  await page.getByRole('button', { name: 'Follow' }).click();
  await eventually(state).toBe('');
  open();
  await eventually(state).toContain('Nothing has been published');
  const hand = await signIn(visitor, '#publish');
  await hand.getByLabel('Topics').last().fill('by-hand/1, other');
  await hand.getByLabel('Data').fill('{"n": 1}');
  await hand.getByRole('button', { name: 'Publish' }).click();
  await eventually(() => hand.getByTestId('publish-result').innerText()).toContain('Published');
  await eventually(() => page.getByTestId('event').allInnerTexts()).toEqual([
    expect.stringContaining('{"n":1}'),
  ]);
  await server.publish({ topics: 'other', data: 'not seen' });
  const pause = page.getByRole('button', { name: 'Pause' });
  await pause.click();
  await server.publish(Array.from({ length: 150 }, (_, n) => ({ topics: 'by-hand/2', data: n })));
  await server.publish(Array.from({ length: 150 }, (_, n) => ({ topics: 'by-hand/2', data: 150 + n })));
  await eventually(state).toMatch(/^Paused; \d{2,} more/);
  expect(await page.getByTestId('event').count()).toBe(1);
  await page.getByRole('button', { name: 'Resume' }).click();
  await eventually(() => page.getByTestId('event').count()).toBe(200);
  await hand.getByLabel('Topics').last().fill('presence/x');
  await hand.getByRole('button', { name: 'Publish' }).click();
  await eventually(() => hand.getByRole('alert').last().innerText()).toContain('are reserved');
});

test('a console that is left open says when the server is gone, and goes on when it is back', async ({
  newVisitor,
}) => {
  const own = await startInProcess();
  const page = await signIn(await newVisitor(own.internalUrl), '#connections');
  const port = Number(new URL(own.internalUrl).port);
  await own.close();
  await eventually(() => page.getByTestId('health').innerText()).toBe('No answer');
  const next = await startInProcess({ 'internal.port': port });
  await eventually(() => page.getByTestId('health').innerText()).toBe('Ready');
  await next.close();
});
