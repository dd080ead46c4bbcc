import type { Page } from 'playwright-core';
import { describe, expect } from 'vitest';
import { useChatApp } from './chat-app.ts';
import { answerTo } from './chat-app/model.mjs';
import { proxyTo } from './cuttable-proxy.ts';
import { eventually, test } from './test.ts';

const app = useChatApp();
let chats = 0;

interface Chat {
  readonly id: string;
  readonly path: string;
  readonly expected: string;
}

interface Manner {
  readonly transport?: 'ours' | 'default';
  /** Words. */
  readonly length?: number;
  /** Milliseconds from word to word. */
  readonly pause?: number;
  /** The last word doesn't come before it is released: the answer lasts until then, or until it is stopped. */
  readonly held?: boolean;
}

function newChat(version: number | 'tanstack', manner: Manner): Chat {
  const { transport = 'default', length = 60, pause = 20, held = false } = manner;
  chats += 1;
  const question = `Question ${chats}?`;
  const query = new URLSearchParams({ transport, question, length: String(length), pause: String(pause) });
  if (held) query.set('held', '');
  const id = `c${version}-${chats}`;
  return { id, path: `/chat/${version}/${id}?${query}`, expected: answerTo(question, length) };
}

const answers = (page: Page): Promise<string[]> => page.locator('li.assistant').allTextContents();
const status = (page: Page): Promise<string | null> => page.locator('#status').textContent();
const seen = (page: Page): Promise<string[]> =>
  page.evaluate(() => (globalThis as unknown as { seen: string[] }).seen);

/** The page showed nothing but beginnings of the answer. */
async function expectBeginnings(page: Page, expected: string): Promise<void> {
  for (const text of await seen(page)) expect(expected.startsWith(text)).toBe(true);
}

/** Reloads it at a random moment. */
async function reloadSoon(page: Page, expected: string): Promise<void> {
  await page.waitForTimeout(Math.random() * 200);
  await expectBeginnings(page, expected);
  await page.reload();
}

async function ask(page: Page): Promise<void> {
  await page.click('#send');
  await untilAnswered(page);
}

/** Until the page shows a beginning of the answer. */
async function untilAnswered(page: Page): Promise<void> {
  await eventually(async () => (await answers(page))[0]?.length ?? 0).toBeGreaterThan(0);
}

// Visitors who have nothing to do with each other, at the same time.
describe.concurrent.each([5, 6])('useChat of the AI SDK %s', (version) => {
  test('shows the whole answer after 20 reloads in the middle of it', async ({ newVisitor }) => {
    const { id, path, expected } = newChat(version, { length: 150, pause: 40, held: true });
    const visitor = await newVisitor(app.url);
    const page = await visitor.open(path);
    await ask(page);
    for (let i = 0; i < 20; i += 1) {
      await reloadSoon(page, expected);
    }
    // A page that has loaded the chat, but not yet asked for its answer, would find neither once that is stored.
    await untilAnswered(page);
    await app.release(id);
    await eventually(() => answers(page)).toEqual([expected]);
    await expectBeginnings(page, expected);
    await eventually(async () => (await app.stats(id)).saved).toBe(1);
    // Now it comes from the app's database, and only from there.
    await page.reload();
    await eventually(() => answers(page)).toEqual([expected]);
    await eventually(() => status(page)).toBe('ready');
    expect(await app.stats(id)).toMatchObject({ started: 1, saved: 1 });
  });

  test.for(['default', 'ours'] as const)(
    'a viewer who comes after the end sees all of the answer, once (transport: %s)',
    async (transport, { newVisitor }) => {
      const { path, expected } = newChat(version, { transport, length: 30, pause: 5 });
      const visitor = await newVisitor(app.url);
      const page = await visitor.open(path);
      await ask(page);
      await eventually(() => answers(page)).toEqual([expected]);
      await page.close();
      const late = await (await newVisitor(app.url)).open(path);
      await eventually(() => answers(late)).toEqual([expected]);
      await eventually(() => status(late)).toBe('ready');
      await expectBeginnings(late, expected);
    },
  );

  test('goes on by itself after the network was cut, with our transport', async ({ newVisitor }) => {
    const { id, path, expected } = newChat(version, { transport: 'ours', length: 120, held: true });
    const proxy = await proxyTo(app.url);
    const visitor = await newVisitor(proxy.url);
    const page = await visitor.open(path);
    await ask(page);
    for (let i = 0; i < 4; i += 1) {
      proxy.block(true);
      proxy.cut();
      await page.waitForTimeout(200);
      proxy.block(false);
      await page.waitForTimeout(400);
    }
    await app.release(id);
    await eventually(() => answers(page)).toEqual([expected]);
    await eventually(() => status(page)).toBe('ready');
    await expectBeginnings(page, expected);
    expect((await app.stats(id)).started).toBe(1);
  });
});

/**
 * TanStack AI's client forgets its run if the page is left while it is still connecting, and gives up after two seconds, until
 * the next reload. The first text is what the page has kept itself.
 */
async function untilJoined(page: Page): Promise<void> {
  const hasJoined = async (): Promise<boolean> => (await seen(page)).length > 1;
  for (let tries = 0; tries < 10; tries += 1) {
    await eventually(async () => (await hasJoined()) || (await status(page)) === 'ready').toBe(true);
    if (await hasJoined()) return;
    await page.reload();
  }
  throw new Error('The page never joined the answer.');
}

test('TanStack AI shows the whole answer after reloads in the middle of it, and in a second tab', async ({
  newVisitor,
}) => {
  const { id, path, expected } = newChat('tanstack', {});
  const visitor = await newVisitor(app.url);
  const page = await visitor.open(path);
  await ask(page);
  for (let i = 0; i < 5; i += 1) {
    await reloadSoon(page, expected);
    await untilJoined(page);
  }
  const tab = await visitor.open(path);
  await untilJoined(tab);
  await app.release(id);
  for (const each of [page, tab]) {
    await eventually(() => answers(each)).toEqual([expected]);
    await expectBeginnings(each, expected);
  }
  expect((await app.stats(id)).started).toBe(1);
});

// By themselves: others would slow them down.
describe.each([5, 6])('Stop with useChat of the AI SDK %s', (version) => {
  test.for(['default', 'ours'] as const)(
    'a second tab joins late, and its Stop ends the producer in all tabs (transport: %s)',
    async (transport, { newVisitor }) => {
      const { id, path, expected } = newChat(version, { transport, held: true });
      const visitor = await newVisitor(app.url);
      const first = await visitor.open(path);
      await ask(first);
      const second = await visitor.open(path);
      await eventually(async () => (await answers(second))[0]?.length ?? 0).toBeGreaterThan(20);
      await second.click('#stop');
      await eventually(async () => (await app.stats(id)).aborted).toBe(1);
      await eventually(() => status(first)).toBe('ready');
      const [text = ''] = await answers(first);
      expect(expected.startsWith(text) && text.length > 20).toBe(true);
      await expectBeginnings(second, expected);
    },
  );
});

test('nobody hangs when the server is killed in the middle of an answer', async ({ newVisitor }) => {
  const watch = async (version: number) => {
    const { id, path, expected } = newChat(version, { transport: 'ours', held: true });
    const visitor = await newVisitor(app.url);
    const [page, other] = [await visitor.open(path), await visitor.open(path)];
    await ask(page);
    return { id, page, other, expected };
  };
  const watched = await Promise.all([5, 6].map(watch));
  await app.kill();
  await app.start();
  for (const { id, page, other, expected } of watched) {
    await eventually(() => status(page)).toBe('error');
    const [text = ''] = await answers(page);
    expect(expected.startsWith(text) && text.length > 0).toBe(true);
    await expectBeginnings(page, expected);
    // The text so far is saved, and there after a reload.
    await eventually(async () => (await app.stats(id)).saved).toBe(1);
    await other.reload();
    await eventually(async () => (await answers(other))[0]?.length ?? 0).toBeGreaterThanOrEqual(text.length);
    await eventually(() => status(other)).toBe('ready');
  }
});
