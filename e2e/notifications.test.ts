import type { Page } from 'playwright-core';
import { describe, expect } from 'vitest';
import { userTopic } from '../examples/live/src/shared/api.ts';
import { CLOSED, openEventSource } from './event-source.ts';
import { useLiveApp } from './live-app.ts';
import { accessibilityProblems, delayFirst, signOut, untilLive } from './page-checks.ts';
import { eventually, screenshot, test } from './test.ts';
import { PASSWORD, type Visitor } from './visitor.ts';

const app = useLiveApp();

const streamOf = (userId: number): string =>
  `/events?topic=posts&topic=${encodeURIComponent(userTopic(userId))}`;

/** Looks out for the toast before it can come, since it goes by itself. */
async function postForToast(author: Visitor, page: Page, text: string, toast = text): Promise<void> {
  await Promise.all([page.getByTestId('toasts').getByText(toast).waitFor(), author.post(text)]);
}

test('a mention reaches only the mentioned user', async ({ newVisitor }) => {
  const [bob, carol, ann] = [await newVisitor(app.url), await newVisitor(app.url), await newVisitor(app.url)];
  await bob.signUp('bob');
  const { id: carolsId } = await carol.signUp('carol');
  await ann.signUp('ann');
  const bobs = await bob.open('/dashboard');
  const carols = await carol.open('/dashboard');
  await untilLive(bobs);
  await untilLive(carols);
  const carolsEvents = await openEventSource(carols, streamOf(carolsId), ['post', 'mention']);
  await eventually(carolsEvents.openings).toBe(1);

  await postForToast(ann, bobs, 'Low water at six, @bob!', 'ann mentioned you: Low water at six, @bob!');
  await eventually(() => bobs.getByTestId('unread').innerText()).toBe('1');
  await screenshot(bobs, 'mention arrives');

  // There is one log: a later event proves that the mention did not come.
  await ann.post('Nobody is named here.');
  await eventually(async () => (await carolsEvents.events()).map(({ type }) => type)).toEqual([
    'tidings:welcome',
    'post',
    'post',
  ]);
  await postForToast(ann, carols, 'And high water at noon, @carol.');
  await eventually(() => carols.getByTestId('unread').innerText()).toBe('1');
  expect(await carols.getByTestId('toasts').innerText()).not.toContain('@bob');

  await bobs.getByTestId('bell').click();
  await bobs.getByTestId('notification').getByText('Low water at six').waitFor();
  await eventually(() => bobs.getByTestId('notification').count()).toBe(1);
  await eventually(() => bobs.getByTestId('unread').isVisible()).toBe(false);
  await eventually(() => bobs.getByTestId('toasts').getByText('Low water at six').count()).toBe(0);
  expect(await accessibilityProblems(bobs)).toEqual([]);
  await screenshot(bobs, 'notifications');
  await bobs.getByTestId('notification').click();
  await bobs.waitForURL('**/feed#post-*');
  await bobs.getByTestId('post').filter({ hasText: 'Low water at six' }).waitFor();
});

test('notifications that were on their way when their user signed out are shown to nobody else', async ({
  newVisitor,
}) => {
  const visitor = await newVisitor(app.url);
  await visitor.signUp('hugo');
  const author = await newVisitor(app.url);
  await author.signUp('ines');
  await author.post('For you alone, @hugo.');
  const page = await visitor.context.newPage();
  const late = await delayFirst(page, /\/notifications$/);
  await page.goto('/dashboard');
  await late.answered();
  await signOut(page);
  await (await newVisitor(app.url)).signUp('jack');
  await page.getByTestId('sign-in').click();
  await page.getByLabel('Name', { exact: true }).fill('jack');
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByTestId('sign-in-submit').click();
  await page.getByTestId('bell').waitFor();
  await untilLive(page);
  await late.deliver();
  // Shown after anything that the page made of the late answer.
  await postForToast(author, page, 'For you, @jack.');
  await page.getByTestId('bell').click();
  await page.getByTestId('notification').getByText('For you, @jack.').waitFor();
  expect(await page.getByTestId('notification').allInnerTexts()).toEqual([expect.stringContaining('@jack')]);

  // The toast goes with its user, too.
  await postForToast(author, page, 'And now, @jack?');
  await signOut(page);
  await eventually(() => page.getByTestId('toasts').getByText('@jack').count()).toBe(0);
});

describe('the private topic of a user', () => {
  test('is refused to others with 403, and without a session with 401', async ({ newVisitor }) => {
    const owner = await newVisitor(app.url);
    const { id } = await owner.signUp('dora');
    const other = await newVisitor(app.url);
    await other.signUp('emil');
    const nobody = await newVisitor(app.url);

    for (const [visitor, status, code] of [
      [other, 403, 'auth/forbidden'],
      [nobody, 401, 'auth/unauthorized'],
    ] as const) {
      const page = await visitor.open('/healthz');
      const refused = page.waitForResponse((response) => response.url().includes('/events'));
      const source = await openEventSource(page, streamOf(id), ['mention']);
      expect((await refused).status()).toBe(status);
      // For a browser, such an answer is final.
      await eventually(source.readyState).toBe(CLOSED);
      const body = await page.evaluate(async (path) => (await fetch(path)).json(), streamOf(id));
      expect(body).toMatchObject({ status, code });
    }
  });

  test('ends when its user signs out, in every tab', async ({ newVisitor }) => {
    const visitor = await newVisitor(app.url);
    const { id } = await visitor.signUp('finn');
    const quiet = await visitor.open('/healthz');
    const source = await openEventSource(quiet, streamOf(id), ['mention']);
    await eventually(source.openings).toBe(1);
    // The last one opened is the one in front, which browsers serve first.
    const [otherTab, page] = [await visitor.open('/dashboard'), await visitor.open('/feed')];
    await untilLive(page);
    await untilLive(otherTab);

    const ended = quiet.waitForResponse(
      (response) => response.url().includes('/events') && response.status() !== 200,
    );
    await page.getByTestId('account').click();
    await page.getByTestId('sign-out').waitFor();
    await screenshot(page, 'account menu');
    await page.getByTestId('sign-out').click();
    await page.getByTestId('sign-in').waitFor();
    await page.getByTestId('invitation').waitFor();
    await otherTab.getByTestId('toasts').getByText('Your session has ended.').waitFor();
    await otherTab.getByTestId('sign-in').waitFor();
    expect((await ended).status()).toBe(401);
    await eventually(source.readyState).toBe(CLOSED);
    expect((await source.events()).at(-1)?.type).toBe('tidings:goodbye');
    await untilLive(page);
    await untilLive(otherTab);
    await screenshot(otherTab, 'session ended in another tab');

    const author = await newVisitor(app.url);
    await author.signUp('gina');
    await author.post('Are you there, @finn?');
    await page.getByTestId('post').filter({ hasText: 'Are you there, @finn?' }).waitFor();
    expect(await page.getByTestId('bell').isVisible()).toBe(false);
    expect(await page.getByTestId('toasts').innerText()).not.toContain('mentioned');
  });
});
