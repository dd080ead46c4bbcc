import type { Page } from 'playwright-core';
import type { PageViews } from '../examples/live/src/shared/api.ts';
import { DEADLINE } from '../scripts/deadline.ts';
import { useLiveApp } from './live-app.ts';
import { statusLabel, untilLive } from './page-checks.ts';
import { eventually, screenshot, test } from './test.ts';
import type { Visitor } from './visitor.ts';

// Over HTTP/1.1 a browser opens at most six connections to a host, for all of its tabs together.
const TABS = 12;
const PATHS = ['/feed', '/', '/dashboard', '/connections', '/analytics'];

const app = useLiveApp({ VIEWER_GRACE_SECONDS: '3' });

const pathOf = (index: number): string => PATHS[index % PATHS.length] ?? '/';
const isFeed = (index: number): boolean => pathOf(index) === '/feed';

async function openTabs(visitor: Visitor): Promise<Page[]> {
  const tabs: Page[] = [];
  for (let index = 0; index < TABS; index += 1) tabs.push(await visitor.open(pathOf(index)));
  for (const tab of tabs) await untilLive(tab);
  return tabs;
}

/** Streams that the server has open, as its metrics say. */
async function streams(visitor: Visitor): Promise<number> {
  const text = await (await visitor.context.request.get('/metrics')).text();
  return Number(/^tidings_connections (\d+)$/m.exec(text)?.[1]);
}

test(
  'twelve tabs over HTTP/1.1 are live by one stream, also after the tab that has it is closed or crashes',
  async ({ newVisitor }) => {
    const [reader, author] = [await newVisitor(app.url), await newVisitor(app.url)];
    await author.signUp('author');
    const me = await reader.signUp('reader');
    const tabs = await openTabs(reader);
    await eventually(() => streams(author)).toBe(1);

    const post = async (text: string): Promise<void> => {
      await author.post(`${text} @${me.name}`);
      for (const [index, tab] of tabs.entries()) {
        if (isFeed(index)) await tab.getByText(text).first().waitFor();
      }
    };
    await post('To all tabs.');
    // The bell is the user's own, on every page.
    for (const tab of tabs) await eventually(() => tab.getByTestId('unread').innerText()).toBe('1');
    // Requests get through, too: six streams would have left none.
    await tabs.at(-1)?.reload();
    await untilLive(tabs.at(-1) as Page);

    // The first tab leads: it asked first.
    await tabs.shift()?.close();
    tabs.unshift(await reader.open(pathOf(0)));
    await untilLive(tabs[0] as Page);
    await post('After the first tab was closed.');
    // Tabs may share a process, and crash with another: each is opened again as soon as it is known.
    const crashed = new Set<Page>();
    for (const tab of tabs) tab.once('crash', () => crashed.add(tab));
    const session = await reader.context.newCDPSession(tabs[1] as Page);
    void session.send('Page.crash').catch(() => undefined);
    await eventually(() => crashed.size).toBeGreaterThan(0);
    for (const index of tabs.keys()) {
      await eventually(async () => {
        if (crashed.has(tabs[index] as Page)) tabs[index] = await reader.open(pathOf(index));
        return statusLabel(tabs[index] as Page);
      }).toMatch(/^Live/);
    }
    await post('After another one crashed.');
    await eventually(() => streams(author)).toBe(1);
    await screenshot(tabs[3] as Page, 'twelve tabs');
  },
  2 * DEADLINE,
);

test('each tab counts as a view, all tabs of a page as one viewer, and none once they are closed', async ({
  newVisitor,
}) => {
  const [reader, observer] = [await newVisitor(app.url), await newVisitor(app.url)];
  const analytics = await observer.open('/analytics');
  const feed = analytics.locator('[data-testid=viewers] [data-page="/feed"] .bar-count');
  const views = async (): Promise<number> => {
    const { pages } = await observer.send<PageViews>('GET', '/analytics/pageviews');
    return pages.find(({ page }) => page === '/feed')?.total ?? 0;
  };
  await untilLive(analytics);
  const before = await views();
  const tabs = [await reader.open('/feed'), await reader.open('/feed'), await reader.open('/dashboard')];
  for (const tab of tabs) await untilLive(tab);
  await eventually(() => feed.allInnerTexts()).toEqual(['1 viewer']);
  await eventually(views).toBe(before + 2);
  for (const tab of tabs.slice(0, 2)) await tab.close();
  await eventually(() => feed.allInnerTexts()).toEqual([]);
  await untilLive(tabs[2] as Page);
});

test('signing in and out in one tab takes the others along, each with the streams of its user', async ({
  newVisitor,
}) => {
  const [reader, author] = [await newVisitor(app.url), await newVisitor(app.url)];
  await author.signUp('second_author');
  const tabs = [await reader.open('/feed'), await reader.open('/dashboard'), await reader.open('/')];
  for (const tab of tabs) await untilLive(tab);
  const [first] = tabs as [Page];
  await first.getByTestId('sign-in').click();
  await first.getByTestId('sign-in-switch').click();
  await first.locator('#sign-in-name').fill('taken_along');
  await first.locator('#sign-in-password').fill('correct horse battery');
  await first.getByTestId('sign-in-submit').click();
  for (const tab of tabs) await tab.getByTestId('account').waitFor();
  for (const tab of tabs) await untilLive(tab);
  await author.post('For @taken_along alone');
  for (const tab of tabs) await eventually(() => tab.getByTestId('unread').innerText()).toBe('1');

  await first.getByTestId('account').click();
  await first.getByTestId('sign-out').click();
  for (const tab of tabs) await tab.getByTestId('sign-in').waitFor();
  for (const tab of tabs) await untilLive(tab);
  await author.post('Nobody @taken_along here');
  await first.getByTestId('post-text').filter({ hasText: 'Nobody' }).waitFor();
});
