import type { Page } from 'playwright-core';
import { describe, expect } from 'vitest';
import { useLiveApp } from './live-app.ts';
import { accessibilityProblems, overflowing, rulesFor, untilLive } from './page-checks.ts';
import { eventually, screenshot, screenshotOfAll, test } from './test.ts';
import type { Visitor, VisitorOptions } from './visitor.ts';

const app = useLiveApp();

const desktop: VisitorOptions = { viewport: { width: 1280, height: 800 } };
const phone: VisitorOptions = { viewport: { width: 375, height: 740 }, isMobile: true, hasTouch: true };

/** Every page, with a check that it has loaded. */
const pages: readonly { path: string; name: string; ready: (page: Page) => Promise<unknown> }[] = [
  { path: '/', name: 'home', ready: (page) => eventually(() => textOf(page, 'home-posts')).toMatch(/\d/) },
  {
    path: '/dashboard',
    name: 'dashboard',
    ready: (page) => eventually(() => page.getByTestId('tile').first().innerText()).toMatch(/\d/),
  },
  { path: '/feed', name: 'feed', ready: (page) => page.getByTestId('post').first().waitFor() },
  {
    path: '/analytics',
    name: 'analytics',
    ready: async (page) => {
      await eventually(() => textOf(page, 'people')).toMatch(/\d/);
      await eventually(() => textOf(page, 'views-total')).toMatch(/\d/);
    },
  },
  {
    path: '/connections',
    name: 'connections',
    ready: (page) => page.getByTestId('connection').first().waitFor(),
  },
];

const textOf = (page: Page, testId: string): Promise<string> => page.getByTestId(testId).innerText();

describe.each([
  { device: 'desktop', size: desktop },
  { device: 'phone', size: phone },
])('on a $device', ({ device, size }) => {
  test.for(['light', 'dark'] as const)(
    'every page loads, fits the window and is accessible, in %s colours',
    async (colorScheme, { newVisitor }) => {
      const reader = await newVisitor(app.url, { ...size, colorScheme });
      await liven(reader, `${device}_${colorScheme}`);
      for (const { path, name, ready } of pages) {
        const page = await reader.open(path);
        await untilLive(page);
        await ready(page);
        expect.soft(await overflowing(page), path).toEqual([]);
        expect.soft(await accessibilityProblems(page, rulesFor(colorScheme)), path).toEqual([]);
        await screenshotOfAll(page, `${name} ${device} ${colorScheme}`);
        await page.close();
      }
      expect(reader.failedRequests).toEqual([]);
    },
  );
});

test('every page fits a window of any width', async ({ newVisitor }) => {
  const reader = await newVisitor(app.url);
  await liven(reader, 'any_width_of_24_letters_');
  for (const { path, ready } of pages) {
    const page = await reader.open(path);
    await ready(page);
    for (const width of [320, 420, 640, 761, 980, 1100, 1920]) {
      await page.setViewportSize({ width, height: 800 });
      // Charts take their new size a frame later.
      await eventually(async () => ({ path, width, overflow: await overflowing(page) })).toEqual({
        path,
        width,
        overflow: [],
      });
    }
    await page.close();
  }
});

test('panels and dialogs fit a phone', async ({ newVisitor }) => {
  const reader = await newVisitor(app.url, phone);
  const guest = await reader.open('/feed');
  await guest.getByTestId('sign-in').click();
  await guest.getByTestId('sign-in-switch').click();
  expect.soft(await overflowing(guest)).toEqual([]);
  await screenshot(guest, 'sign up phone');
  await guest.close();

  await liven(reader, 'a_name_of_24_characters_');
  const other = await newVisitor(app.url);
  await other.signUp('another_name_of_24_chars');
  for (const text of ['Are you there?', `Here is a longer one, ${'to be cut somewhere, '.repeat(15)}`]) {
    await other.post(`@a_name_of_24_characters_ ${text}`);
  }
  const page = await reader.open('/feed');
  await untilLive(page);
  await page.getByTestId('composer-text').fill('Thinking about it. '.repeat(20));
  for (const [button, name] of [
    ['status', 'status panel'],
    ['bell', 'notifications'],
    ['account', 'account menu'],
  ] as const) {
    await page.getByTestId(button).click();
    await eventually(() => page.locator(':popover-open').count()).toBe(1);
    expect.soft(await overflowing(page), name).toEqual([]);
    expect.soft(await accessibilityProblems(page), name).toEqual([]);
    await screenshot(page, `${name} phone`);
    await page.keyboard.press('Escape');
  }
});

test('everything can be reached with the keyboard alone', async ({ newVisitor }) => {
  const reader = await newVisitor(app.url);
  const page = await reader.open('/feed');
  await untilLive(page);
  await page.getByTestId('invitation').waitFor();
  const focused = page.locator(':focus');
  await page.keyboard.press('Tab');
  await eventually(() => focused.innerText()).toBe('Skip to content');
  await page.keyboard.press('Enter');
  await eventually(() => focused.getAttribute('id')).toBe('main');
  await page.keyboard.press('Tab');
  await eventually(() => focused.innerText()).toBe('Sign in or sign up');
  await page.keyboard.press('Enter');
  await page.getByRole('dialog', { name: 'Sign in' }).waitFor();
  await eventually(() => focused.getAttribute('name')).toBe('name');
  await page.keyboard.press('Escape');
  // Back where it was.
  await eventually(() => focused.innerText()).toBe('Sign in or sign up');

  await page.getByTestId('status').focus();
  await page.keyboard.press('Enter');
  await page.getByText('Every event arrives as it happens.').waitFor();
  await page.keyboard.press('Escape');
  await eventually(() => page.locator(':popover-open').count()).toBe(0);
});

test('the reader’s choice of colours persists', async ({ newVisitor }) => {
  const reader = await newVisitor(app.url, { colorScheme: 'light' });
  const page = await reader.open('/feed');
  const ink = (): Promise<string> => page.evaluate(() => getComputedStyle(document.body).color);
  const light = await ink();
  const button = page.getByTestId('theme');
  for (const theme of ['light', 'dark']) {
    await button.click();
    await eventually(() => page.locator('html').getAttribute('data-theme')).toBe(theme);
  }
  const dark = await ink();
  expect(dark).not.toBe(light);
  await page.goto('/analytics');
  await eventually(ink).toBe(dark);
  await button.click();
  await eventually(ink).toBe(light);
});

/** Something to see on each page: text that is hard to lay out, a mention, likes. */
async function liven(reader: Visitor, name: string): Promise<void> {
  await reader.signUp(name);
  const post = await reader.post(
    `Good morning @${name}, the coast is clear.\nA second line, and a third:\n\nfourth.`,
  );
  await reader.send('PUT', `/posts/${post.id}/like`);
  await reader.post(
    `https://example.com/${'a-very-long-address-without-a-space/'.repeat(6)} ${'x'.repeat(120)}`,
  );
  await reader.post('שלום עולם 👋🏽 مرحبا 你好 <b>not bold</b> &amp; not decoded');
}

test('an unknown address shows a page with links to the others', async ({ newVisitor }) => {
  const reader = await newVisitor(app.url, phone);
  const page = await reader.open('/no/where');
  await page.getByRole('heading', { name: 'There is nothing at this address.' }).waitFor();
  expect(await overflowing(page)).toEqual([]);
  expect(await accessibilityProblems(page)).toEqual([]);
  await screenshotOfAll(page, 'not found phone');
  await page.getByRole('link', { name: 'Feed' }).click();
  await untilLive(page);
});
