import type { BrowserContext } from 'playwright-core';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import {
  type BrowserTab,
  follow,
  freeze,
  lastReceived,
  leaderSeenFrom,
  openTab,
  received,
  serveTabs,
  statusOf,
  type TabServer,
  thaw,
} from './tabs.ts';
import { DEADLINE } from '../scripts/deadline.ts';
import { eventually, test } from './test.ts';

const TABS = 12;

let server: TabServer;
beforeAll(async () => {
  server = await serveTabs();
});
afterAll(() => server.close());

/** Publishes one number after the other, until it is stopped. */
function publishNumbers(): { readonly count: () => number; stop(): Promise<number> } {
  let count = 0;
  let going = true;
  const done = (async () => {
    while (going) {
      await server.hub.publish('numbers', count);
      count += 1;
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
    return count;
  })();
  return {
    count: () => count,
    stop() {
      going = false;
      return done;
    },
  };
}

const oneStream = () =>
  eventually(() => [server.streams(), server.hub.connections().map(({ phase }) => phase)]).toEqual([
    1,
    ['live'],
  ]);

test('natively, the seventh tab over HTTP/1.1 waits until another one is closed', async ({ newVisitor }) => {
  const { context } = await newVisitor(server.url);
  const tabs: Omit<BrowserTab, 'from'>[] = [];
  for (let n = 0; n < 7; n += 1) tabs.push(await openTab(context, server.url));
  const readyState = ({ page }: Pick<BrowserTab, 'page'>): Promise<number> =>
    page.evaluate(() => (globalThis as unknown as { source: EventSource }).source.readyState);
  for (const [n, tab] of tabs.entries()) {
    await tab.page.evaluate(() => {
      const source = new EventSource('/events?topic=numbers');
      Object.assign(globalThis, { source });
    });
    // Otherwise their requests come in any order: each tab has a process of its own.
    if (n < 6) await eventually(() => readyState(tab)).toBe(1);
  }
  const last = tabs.at(-1) as BrowserTab;
  expect([server.streams(), await readyState(last)]).toEqual([6, 0]);
  await tabs.shift()?.page.close();
  await eventually(() => readyState(last)).toBe(1);
});

describe('twelve tabs that share a stream over HTTP/1.1', () => {
  async function openShared(context: BrowserContext, from: number): Promise<BrowserTab> {
    const tab = await openTab(context, server.url);
    await follow(tab.page, server.hub.cursor());
    return { ...tab, from };
  }

  test('are all live, by one connection', async ({ newVisitor }) => {
    const { context } = await newVisitor(server.url);
    const tabs: BrowserTab[] = [];
    for (let n = 0; n < TABS; n += 1) tabs.push(await openShared(context, 0));
    for (const { page } of tabs) await eventually(() => statusOf(page)).toBe('open');
    await oneStream();
    for (let n = 0; n < 3; n += 1) await server.hub.publish('numbers', n);
    for (const { page } of tabs) await eventually(() => received(page)).toEqual([0, 1, 2]);
  });

  test(
    'lose and double nothing while one leader after the other is closed, crashes, is frozen or hangs',
    async ({ newVisitor }) => {
      const { context } = await newVisitor(server.url);
      const publisher = publishNumbers();
      let tabs: BrowserTab[] = [];
      const frozen: BrowserTab[] = [];
      const open = async (): Promise<void> => {
        // The cursor is read first, so it may have a number more than expected, but none less.
        const tab = await openTab(context, server.url);
        const cursor = server.hub.cursor();
        const from = publisher.count();
        await follow(tab.page, cursor);
        // Tabs may share a process, and crash with another.
        tab.page.once('crash', () => (tabs = tabs.filter(({ n }) => n !== tab.n)));
        tabs.push({ ...tab, from });
      };
      for (let n = 0; n < TABS; n += 1) await open();
      for (const { page } of tabs) await eventually(() => statusOf(page)).toBe('open');

      for (const how of ['close', 'crash', 'freeze', 'hang', 'crash', 'close', 'hang', 'freeze'] as const) {
        const leading = await findLeader(() => tabs);
        const before = publisher.count();
        if (how === 'close') await leading.page.close();
        if (how === 'crash') void leading.session.send('Page.crash').catch(() => {});
        if (how === 'freeze' || how === 'hang') {
          await freeze(leading, how === 'freeze');
          frozen.push(leading);
        }
        tabs = tabs.filter(({ n }) => n !== leading.n);
        for (const tab of [...tabs]) {
          await eventually(
            async () => !tabs.includes(tab) || ((await lastReceived(tab.page)) ?? 0) > before + 20,
          ).toBe(true);
        }
        while (tabs.length < TABS) await open();
      }
      for (const tab of frozen) await thaw(tab);
      const count = await publisher.stop();
      for (const { page, from } of [...tabs, ...frozen]) {
        await eventually(() => lastReceived(page)).toBe(count - 1);
        const all = await received(page);
        const first = all[0] ?? from;
        expect(first).toBeLessThanOrEqual(from);
        expect(all).toEqual(Array.from({ length: count - first }, (_, index) => first + index));
      }
      await oneStream();
    },
    5 * DEADLINE,
  );
});

/** @param tabs those that are alive, which may change meanwhile. */
async function findLeader(tabs: () => readonly BrowserTab[]): Promise<BrowserTab> {
  let found: BrowserTab | undefined;
  await eventually(async () => {
    const [some] = tabs();
    const n = some && (await leaderSeenFrom(some.page));
    found = tabs().find((tab) => tab.n === n);
    return found !== undefined;
  }).toBe(true);
  return found as BrowserTab;
}
