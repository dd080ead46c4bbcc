import type { Page } from 'playwright-core';
import { describe, expect } from 'vitest';
import type { ViewersDelta } from '../examples/live/src/shared/api.ts';
import { openEventSource } from './event-source.ts';
import { useLiveApp } from './live-app.ts';
import { untilLive } from './page-checks.ts';
import { otherSite } from './other-site.ts';
import { eventually, screenshot, screenshotOfAll, test } from './test.ts';
import type { Visitor } from './visitor.ts';

/** The analytics page's numbers: people in all, and viewers of one page. */
async function shown(page: Page, name: string): Promise<[people: string, viewers: string | undefined]> {
  const [viewers] = await page
    .locator(`[data-testid=viewers] [data-page="${name}"] .bar-count`)
    .allInnerTexts();
  return [await page.getByTestId('people').innerText(), viewers];
}

/** Every published number of a page's viewers from now on, in order. */
async function follow(visitor: Visitor, name: string): Promise<() => Promise<number[]>> {
  const page = await visitor.open('/healthz');
  const source = await openEventSource(page, '/events?topic=viewers', ['viewers:delta']);
  await eventually(source.openings).toBe(1);
  return async () => {
    const deltas = (await source.events()).filter(({ type }) => type === 'viewers:delta');
    return deltas
      .flatMap(({ data }) => (JSON.parse(data) as ViewersDelta).pages)
      .filter(({ page: told }) => told === name)
      .map(({ viewers }) => viewers);
  };
}

/**
 * The numbers of one viewer, then two, were published, and last that there is none. A tab that takes over from a closed tab
 * may need longer than the grace, and then counts anew.
 */
async function untilNobody(told: () => Promise<number[]>): Promise<void> {
  await eventually(async () => (await told()).at(-1)).toBe(0);
  const numbers = await told();
  expect(numbers.slice(0, 2)).toEqual([1, 2]);
  expect(Math.max(...numbers)).toBe(2);
}

describe('viewer counts', () => {
  const app = useLiveApp({ VIEWER_GRACE_SECONDS: '1' });

  test('follow people as they come and go, and count one person with two tabs once', async ({
    newVisitor,
  }) => {
    const observer = await newVisitor(app.url);
    const told = await follow(observer, '/feed');
    const analytics = await observer.open('/analytics');
    await eventually(() => shown(analytics, '/feed')).toEqual(['1', undefined]);
    const [ann, bob] = [await newVisitor(app.url), await newVisitor(app.url)];

    const first = await ann.open('/feed');
    await eventually(() => shown(analytics, '/feed')).toEqual(['2', '1 viewer']);
    const second = await ann.open('/feed');
    await untilLive(second);
    const bobs = await bob.open('/feed');
    await eventually(() => shown(analytics, '/feed')).toEqual(['3', '2 viewers']);
    await eventually(() => bobs.getByTestId('feed-viewers').innerText()).toBe('2 people reading');
    // Tabs are page views, though, and so is the analytics page itself.
    await eventually(() => analytics.getByTestId('views-total').innerText()).toBe('4');
    await screenshotOfAll(analytics, 'viewers');

    await first.close();
    await bobs.close();
    await eventually(() => shown(analytics, '/feed')).toEqual(['2', '1 viewer']);
    await second.close();
    await eventually(() => shown(analytics, '/feed')).toEqual(['1', undefined]);
    await untilNobody(told);
  });

  test('include pages of another site that loads the script', async ({ newVisitor }) => {
    const shop = await otherSite(`<h1>Shop</h1><script async src="${app.url}/embed.js"></script>`);
    const name = `${new URL(shop).host}/cart`;
    const observer = await newVisitor(app.url);
    const told = await follow(observer, name);
    const analytics = await observer.open('/analytics');
    await untilLive(analytics);
    const [ann, bob] = [await newVisitor(shop), await newVisitor(shop)];

    const anns = await ann.open('/cart?coupon=secret#top');
    await eventually(async () => (await shown(analytics, name))[1]).toBe('1 viewer');
    const annsOther = await ann.open('/cart');
    const bobs = await bob.open('/cart');
    await eventually(async () => (await shown(analytics, name))[1]).toBe('2 viewers');
    await eventually(() =>
      analytics.locator(`[data-testid=pages] [data-page="${name}"]`).innerText(),
    ).toContain('3 views');
    await screenshot(analytics, 'viewers of another site');
    await Promise.all([anns, annsOther].map((page) => page.close()));
    await eventually(async () => (await shown(analytics, name))[1]).toBe('1 viewer');
    await bobs.goto('about:blank');
    await eventually(async () => (await shown(analytics, name))[1]).toBe(undefined);
    await untilNobody(told);
    expect(ann.failedRequests).toEqual([]);
    // Nothing but the script's own storage: no cookie of the app's.
    expect(await bob.context.cookies()).toEqual([]);
  });
});

describe('with a grace time', () => {
  // A reload takes a fraction of it, also on a busy machine.
  const app = useLiveApp({ VIEWER_GRACE_SECONDS: '60' });

  test('a reload does not change the numbers', async ({ newVisitor }) => {
    const observer = await newVisitor(app.url);
    const told = await follow(observer, '/feed');
    const [ann, bob, carol] = [
      await newVisitor(app.url),
      await newVisitor(app.url),
      await newVisitor(app.url),
    ];
    const anns = await ann.open('/feed');
    await eventually(told).toEqual([1]);
    await bob.open('/feed');
    await eventually(told).toEqual([1, 2]);

    await anns.reload();
    await untilLive(anns);
    // Had the reload been published, it would have been before this.
    await carol.open('/feed');
    await eventually(told).toEqual([1, 2, 3]);
    await eventually(() => anns.getByTestId('feed-viewers').innerText()).toBe('3 people reading');
  });
});
