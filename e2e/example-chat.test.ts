// The chat example: what its README promises, and how it looks.
import type { Locator, Page } from 'playwright-core';
import { describe, expect } from 'vitest';
import { answerTo } from '../examples/chat/src/model/answer.ts';
import type { ChatPage } from '../examples/chat/src/shared/api.ts';
import { useChatExample } from './chat-example.ts';
import { accessibilityProblems, overflowing, rulesFor } from './page-checks.ts';
import { eventually, screenshot, test } from './test.ts';
import type { Visitor, VisitorOptions } from './visitor.ts';

const app = useChatExample();

const answers = (page: Page): Promise<string[]> => page.getByTestId('answer').allInnerTexts();
const lengthOf = async (page: Page): Promise<number> => ((await answers(page)).at(-1) ?? '').length;

async function ask(page: Page, question: string, model = 'tide'): Promise<void> {
  await page.getByLabel('Model').selectOption(model);
  await page.getByLabel('Your question').fill(question);
  await page.getByLabel('Your question').press('Enter');
}

/** Waits until there is some of the answer. */
async function untilWriting(page: Page, length = 20): Promise<void> {
  await eventually(() => lengthOf(page)).toBeGreaterThan(length);
}

/** Turns the mouse wheel, and waits until the scrolling that it leads to is over. */
async function wheel(page: Page, over: Locator, distance: number): Promise<void> {
  await over.evaluate((element) => {
    const scrolled = new Promise<Event>((resolve) =>
      element.addEventListener('scrollend', resolve, { once: true }),
    );
    Object.assign(globalThis, { scrolled });
  });
  await page.mouse.wheel(0, distance);
  await page.evaluate(async () => {
    await (globalThis as unknown as { scrolled: Promise<Event> }).scrolled;
  });
}

/** How the newest answer ended, in the page's words. */
const ending = (page: Page, words: string): Locator => page.getByTestId('ending').getByText(words);

async function untilIdle(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Send' }).waitFor();
}

/** The chat as the server has stored it. */
async function stored(page: Page): Promise<ChatPage> {
  const id = new URL(page.url()).pathname.split('/').at(-1);
  return (await (await fetch(`${app.url}/api/chats/${id}`)).json()) as ChatPage;
}

/** The stored text of the newest answer. */
async function storedAnswer(page: Page): Promise<string> {
  const last = (await stored(page)).messages.at(-1);
  return last?.role === 'assistant' ? last.parts.map(({ text }) => text).join('') : '';
}

describe('a server that stays', () => {
  test('an answer goes on over reloads, in a second tab and on another device, and is listed as running', async ({
    newVisitor,
  }) => {
    const question = 'Tell me about the pilot in 6 paragraphs';
    const release = app.model.hold();
    const ann = await newVisitor(app.url);
    const page = await ann.open('/');
    await ask(page, question);
    await untilWriting(page);
    await page.reload();
    await untilWriting(page, 60);
    await eventually(() => page.locator('aside .chat-state').allInnerTexts()).toEqual(['answering']);
    const tab = await ann.open(new URL(page.url()).pathname);
    const phone = await newVisitor(app.url, { viewport: { width: 390, height: 780 }, isMobile: true });
    const other = await phone.open(new URL(page.url()).pathname);
    for (const each of [tab, other]) await untilWriting(each, 60);
    await page.reload();
    await untilWriting(page, 60);
    release();
    for (const each of [page, tab, other]) await untilIdle(each);
    await eventually(() => storedAnswer(page)).toBe(answerTo([{ role: 'user', content: question }]));
    // The page that loads it from the server shows the very same as those that saw it being written.
    const fresh = await ann.open(new URL(page.url()).pathname);
    await untilWriting(fresh);
    const [text] = await answers(fresh);
    for (const each of [page, tab, other]) await eventually(() => answers(each)).toEqual([text]);
    await eventually(() => page.locator('aside .chat-state').innerText()).toMatch(/^\d\d:\d\d$/);
    expect(app.model.stats('tide').begun).toBe(1);

    // A question in one tab: the others show it, and its answer as it comes.
    await ask(tab, 'And the ferry?');
    for (const each of [page, other]) {
      await each.getByText('And the ferry?').waitFor();
      await eventually(async () => (await answers(each)).length).toBe(2);
    }
    for (const each of [page, tab, other]) await untilIdle(each);
    await eventually(async () => (await stored(page)).status).toBe('done');
    await fresh.reload();
    await eventually(async () => (await answers(fresh)).length).toBe(2);
    const both = await answers(fresh);
    for (const each of [page, tab, other]) await eventually(() => answers(each)).toEqual(both);
  });

  test('a model that fails halfway is told from one that finished, and the answer can be asked for again', async ({
    newVisitor,
  }) => {
    const ann = await newVisitor(app.url);
    const page = await ann.open('/');
    await ask(page, 'Why is the net mended from the middle?', 'tide-flaky');
    await ending(page, 'The model failed in the middle of its answer.').waitFor();
    await eventually(async () => (await stored(page)).status).toBe('failed');
    await page.getByLabel('Model').selectOption('tide-fast');
    await page.getByRole('button', { name: 'Try again' }).click();
    await eventually(async () => (await stored(page)).status).toBe('done');
    await eventually(() => page.getByTestId('ending').count()).toBe(0);
  });

  test('the page follows the answer, but never moves a reader who has scrolled up', async ({
    newVisitor,
  }) => {
    const ann = await newVisitor(app.url, { viewport: { width: 1000, height: 500 } });
    const page = await ann.open('/');
    app.model.hold();
    await ask(page, 'In 60 paragraphs: the moon');
    const thread = page.getByRole('region', { name: 'Conversation' });
    const distance = (): Promise<number> =>
      thread.evaluate(({ scrollHeight, scrollTop, clientHeight }) => scrollHeight - scrollTop - clientHeight);
    await eventually(() => thread.evaluate(({ scrollHeight }) => scrollHeight)).toBeGreaterThan(1200);
    await eventually(distance).toBeLessThan(50);
    await thread.hover();
    const toEnd = page.getByRole('button', { name: 'To the latest words' });
    await eventually(async () => {
      await wheel(page, thread, -400);
      return toEnd.count();
    }).toBe(1);
    const before = await thread.evaluate(({ scrollTop }) => scrollTop);
    const length = await lengthOf(page);
    await untilWriting(page, length + 400);
    expect(await thread.evaluate(({ scrollTop }) => scrollTop)).toBe(before);
    await screenshot(page, 'chat scrolled up');
    await toEnd.click();
    await eventually(distance).toBeLessThan(50);
    await eventually(() => toEnd.count()).toBe(0);
    await page.keyboard.press('Escape');
    await untilIdle(page);
  });

  describe.each([
    { device: 'desktop', size: { viewport: { width: 1280, height: 800 } } },
    { device: 'phone', size: { viewport: { width: 375, height: 740 }, isMobile: true, hasTouch: true } },
  ] as { device: string; size: VisitorOptions }[])('on a $device', ({ device, size }) => {
    test.for(['light', 'dark'] as const)(
      'it fits the window and is accessible, in %s colours',
      async (colorScheme, { newVisitor, expect }) => {
        const ann: Visitor = await newVisitor(app.url, { ...size, colorScheme });
        const page = await ann.open('/');
        await page.getByRole('heading', { name: 'Ask the sea something' }).waitFor();
        const look = async (name: string): Promise<void> => {
          expect.soft(await overflowing(page), name).toEqual([]);
          expect.soft(await accessibilityProblems(page, rulesFor(colorScheme)), name).toEqual([]);
          await screenshot(page, `chat ${name} ${device} ${colorScheme}`);
        };
        await look('welcome');
        const questions = [
          'Show me the table of depths',
          'Write code for the lantern please',
          'What about gulls?',
        ];
        for (const [n, question] of questions.entries()) {
          await ask(page, question, 'tide-fast');
          await eventually(async () => (await answers(page)).length).toBe(n + 1);
          await untilIdle(page);
        }
        await look('answers');
        // It lasts until it is stopped, however long the looks before that take.
        app.model.hold();
        await ask(page, `In 4 paragraphs: ${'rope'.repeat(30)}`);
        await eventually(async () => (await answers(page)).length).toBe(4);
        await untilWriting(page, 300);
        await look('writing');
        if (device === 'phone') {
          await page.getByRole('button', { name: 'Chats', exact: true }).click();
          await page.getByRole('dialog', { name: 'Chats' }).waitFor();
          await look('list');
          await page.keyboard.press('Escape');
        }
        await page.getByRole('button', { name: 'Stop the answer' }).click();
        await ending(page, 'You stopped this answer.').waitFor();
        await look('stopped');
        expect(ann.failedRequests).toEqual([]);
      },
    );
  });
});

test('Stop in one tab stops the model, and every tab says so', async ({ newVisitor }) => {
  const ann = await newVisitor(app.url);
  const page = await ann.open('/');
  app.model.hold();
  await ask(page, 'A long story about fog');
  await untilWriting(page);
  const tab = await ann.open(new URL(page.url()).pathname);
  for (const each of [page, tab]) {
    await each.getByRole('button', { name: 'Stop the answer' }).waitFor();
    await untilWriting(each);
  }
  const { left } = app.model.stats('tide');
  await tab.getByRole('button', { name: 'Stop the answer' }).click();
  await eventually(() => app.model.stats('tide').left).toBe(left + 1);
  for (const each of [page, tab]) await ending(each, 'You stopped this answer.').waitFor();
  await eventually(async () => {
    const [here, there] = [await answers(page), await answers(tab)];
    return here.length === 1 && here[0] === there[0];
  }).toBe(true);
});

test('everything works with the keyboard alone', async ({ newVisitor }) => {
  const ann = await newVisitor(app.url);
  const page = await ann.open('/');
  await page.getByLabel('Your question').waitFor();
  const focused = page.locator(':focus');
  await page.keyboard.press('Tab');
  await eventually(() => focused.innerText()).toBe('Skip to your question');
  await page.keyboard.press('Enter');
  await eventually(() => focused.getAttribute('id')).toBe('question');
  await page.keyboard.type('First line');
  await page.keyboard.press('Shift+Enter');
  await page.keyboard.type('In 20 paragraphs');
  await eventually(() => focused.inputValue()).toBe('First line\nIn 20 paragraphs');
  app.model.hold();
  await page.keyboard.press('Enter');
  await untilWriting(page);
  await page.keyboard.press('Escape');
  await ending(page, 'You stopped this answer.').waitFor();
  // Screen readers announce the beginning and the end, not every word.
  await eventually(() => page.locator('.thread-frame [role=status]').innerText()).toBe(
    'You stopped this answer.',
  );
});

test('a server that is stopped lets a short answer come to its end', async ({ newVisitor }) => {
  const ann = await newVisitor(app.url);
  const page = await ann.open('/');
  const release = app.model.hold();
  await ask(page, 'What is a buoy?', 'tide-fast');
  await untilWriting(page);
  await eventually(app.model.waiting).toBe(1);
  const ended = app.end('SIGTERM');
  release();
  expect(await ended).toBe(0);
  await app.start();
  await eventually(() => storedAnswer(page)).toBe(answerTo([{ role: 'user', content: 'What is a buoy?' }]));
  await untilIdle(page);
});

test('a server that is killed in the middle of an answer costs its end, which the page says and offers to write again', async ({
  newVisitor,
}) => {
  const question = 'How deep is the harbour? In 4 paragraphs';
  const ann = await newVisitor(app.url);
  const page = await ann.open('/');
  const release = app.model.hold();
  await ask(page, question);
  await untilWriting(page, 100);
  await app.end();
  release();
  await app.start();
  await ending(page, 'The server went away while it wrote this answer.').waitFor();
  const whole = answerTo([{ role: 'user', content: question }]);
  const kept = await storedAnswer(page);
  expect(whole.startsWith(kept) && kept.length > 50).toBe(true);
  await eventually(() => page.locator('aside .chat-state').innerText()).toMatch(/^cut off/);
  expect.soft(await accessibilityProblems(page)).toEqual([]);
  await screenshot(page, 'chat lost');
  await page.getByLabel('Model').selectOption('tide-fast');
  await page.getByRole('button', { name: 'Try again' }).click();
  await eventually(() => storedAnswer(page)).toBe(whole);
  await untilIdle(page);
  expect((await stored(page)).messages).toHaveLength(2);
  // The list's stream lost its server for a moment; nothing else may fail.
  for (const line of ann.failedRequests) expect(line).toMatch(/ERR_|503/);
});
