import type { Locator, Page } from 'playwright-core';
import { expect } from 'vitest';
import { useLiveApp } from './live-app.ts';
import { accessibilityProblems, delayFirst, signOut, statusLabel, untilLive } from './page-checks.ts';
import { eventually, screenshot, test } from './test.ts';
import { PASSWORD } from './visitor.ts';

const app = useLiveApp();

const postOf = (page: Page, text: string): Locator => page.getByTestId('post').filter({ hasText: text });

/** A page that was reloaded has forgotten the mark. */
async function mark(page: Page): Promise<() => Promise<boolean>> {
  await page.evaluate(() => document.body.setAttribute('data-mark', ''));
  return () => page.evaluate(() => document.body.hasAttribute('data-mark'));
}

test('somebody signs up and posts, and others see the post, its likes and its deletion without a reload', async ({
  newVisitor,
}) => {
  const reader = await newVisitor(app.url);
  await reader.signUp('bob');
  const theirs = await reader.open('/feed');
  await untilLive(theirs);
  const stillThere = await mark(theirs);

  const author = await newVisitor(app.url);
  const mine = await author.open('/feed');
  await mine.getByTestId('sign-in').click();
  await mine.getByTestId('sign-in-switch').click();
  await mine.getByLabel('Name', { exact: true }).fill('ann');
  await mine.getByLabel('Password').fill('short');
  await mine.getByTestId('sign-in-submit').click();
  await mine.getByText('A password has at least 8 characters.').waitFor();
  expect(await accessibilityProblems(mine)).toEqual([]);
  await screenshot(mine, 'sign up');
  await mine.getByLabel('Password').fill(PASSWORD);
  await mine.getByTestId('sign-in-submit').click();
  // The button that opened the dialog is gone; the focus must not be.
  await eventually(() => mine.evaluate(() => document.activeElement?.getAttribute('data-testid'))).toBe(
    'account',
  );
  await mine.getByTestId('composer-text').fill('The tide turns at six.');
  await mine.getByTestId('composer-text').press('Control+Enter');
  await postOf(mine, 'The tide turns at six.').waitFor();
  await postOf(theirs, 'The tide turns at six.').waitFor();
  expect(await postOf(theirs, 'The tide turns at six.').getByTestId('post-author').innerText()).toBe('ann');

  const likesHere = (page: Page): Promise<string> =>
    postOf(page, 'The tide turns at six.').getByTestId('like-count').innerText();
  await postOf(theirs, 'The tide turns at six.').getByTestId('like').click();
  await eventually(() => likesHere(mine)).toBe('1');
  await eventually(() => likesHere(theirs)).toBe('1');
  await screenshot(theirs, 'feed of two');
  await postOf(theirs, 'The tide turns at six.').getByTestId('like').click();
  await eventually(() => likesHere(mine)).toBe('0');

  // Somebody else's post has no button to delete it.
  expect(await postOf(theirs, 'The tide turns at six.').getByTestId('post-delete').isVisible()).toBe(false);
  await postOf(mine, 'The tide turns at six.').getByTestId('post-delete').click();
  await mine.getByTestId('delete-dialog').waitFor();
  await screenshot(mine, 'delete dialog');
  await mine.getByTestId('delete-confirm').click();
  await eventually(() => postOf(mine, 'The tide turns at six.').count()).toBe(0);
  await eventually(() => postOf(theirs, 'The tide turns at six.').count()).toBe(0);
  expect(await stillThere()).toBe(true);
});

test('a post made between the list and the subscription appears, once', async ({ newVisitor }) => {
  const author = await newVisitor(app.url);
  await author.signUp('cleo');
  await author.post('Before the list');
  const reader = await newVisitor(app.url);
  const page = await reader.context.newPage();
  let subscribe = (): void => undefined;
  const released = new Promise<void>((resolve) => (subscribe = resolve));
  let held = 0;
  await page.route(/\/events\?/, async (route) => {
    held += 1;
    await released;
    await route.continue();
  });
  await page.goto('/feed');
  await postOf(page, 'Before the list').waitFor();
  await eventually(() => held).toBe(1);

  await author.post('Between list and subscription');
  expect(await statusLabel(page)).toBe('Connecting…');
  expect(await postOf(page, 'Between list and subscription').count()).toBe(0);
  subscribe();
  await postOf(page, 'Between list and subscription').waitFor();
  await author.post('After the subscription');
  await postOf(page, 'After the subscription').waitFor();
  const texts = await page.getByTestId('post-text').allInnerTexts();
  expect(texts.slice(0, 3)).toEqual([
    'After the subscription',
    'Between list and subscription',
    'Before the list',
  ]);
});

test('a post made while the list is loading appears, once', async ({ newVisitor }) => {
  const author = await newVisitor(app.url);
  await author.signUp('dora');
  const reader = await newVisitor(app.url);
  const page = await reader.context.newPage();
  let deliver = (): void => undefined;
  const released = new Promise<void>((resolve) => (deliver = resolve));
  let answered = 0;
  await page.route(/\/posts\?/, async (route) => {
    // The server has answered: later posts are not in the list.
    const response = await route.fetch();
    answered += 1;
    await released;
    await route.fulfill({ response });
  });
  await page.goto('/feed');
  await eventually(() => answered).toBe(1);
  await author.post('While the list was on its way');
  deliver();
  await postOf(page, 'While the list was on its way').waitFor();
  await author.post('After the list');
  await postOf(page, 'After the list').waitFor();
  expect((await page.getByTestId('post-text').allInnerTexts()).slice(0, 2)).toEqual([
    'After the list',
    'While the list was on its way',
  ]);
});

test('a list that was on its way when its reader signed out shows nobody’s likes', async ({ newVisitor }) => {
  const visitor = await newVisitor(app.url);
  await visitor.signUp('gerd');
  const { id } = await visitor.post('Liked before leaving');
  await visitor.send('PUT', `/posts/${id}/like`);
  const page = await visitor.context.newPage();
  const late = await delayFirst(page, /\/posts\?/);
  await page.goto('/feed');
  await late.answered();
  await signOut(page);
  const like = postOf(page, 'Liked before leaving').getByTestId('like');
  await eventually(() => like.getAttribute('aria-pressed')).toBe('false');
  await late.deliver();
  // Shown after anything that the page made of the late answer.
  const author = await newVisitor(app.url);
  await author.signUp('hans');
  await author.post('After the late answer');
  await postOf(page, 'After the late answer').waitFor();
  expect(await like.getAttribute('aria-pressed')).toBe('false');
});

test('a post is shown as text, even if it looks like HTML', async ({ newVisitor }) => {
  const author = await newVisitor(app.url);
  await author.signUp('fritz');
  const reader = await newVisitor(app.url);
  const page = await reader.open('/feed');
  await untilLive(page);
  const text = '<img src="x" onerror="document.title = 1"> <b>bold</b> &amp; \u2028 @fritz\n\ndata: x\n: end';
  const { id } = await author.post(text);
  const here = page.locator(`#post-${id}`).getByTestId('post-text');
  await here.waitFor();
  expect(await here.textContent()).toBe(text);
  expect(await here.locator('img, b').count()).toBe(0);
});

test('a reader who has scrolled down gets a notice of new posts and is not moved', async ({ newVisitor }) => {
  const author = await newVisitor(app.url);
  await author.signUp('emil');
  for (let count = 1; count <= 12; count += 1)
    await author.post(`Post ${count} of many.\n\nWith some lines.\n\nEnd.`);
  const reader = await newVisitor(app.url);
  const page = await reader.open('/feed');
  await untilLive(page);
  // The line above the list, which moves it when it comes.
  await page.getByTestId('feed-viewers').waitFor();
  await postOf(page, 'Post 4 of many').scrollIntoViewIfNeeded();
  const top = (): Promise<number | undefined> =>
    postOf(page, 'Post 4 of many').evaluate((post) => Math.round(post.getBoundingClientRect().top));
  const before = await top();
  await author.post('New at the top');
  await page.getByTestId('new-posts').waitFor();
  await screenshot(page, 'new posts');
  expect(await top()).toBe(before);
  await page.getByTestId('new-posts').click();
  await eventually(() => page.getByTestId('new-posts').isVisible()).toBe(false);
  await eventually(() => page.evaluate(() => scrollY)).toBe(0);
});
