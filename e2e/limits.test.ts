import { describe, expect } from 'vitest';
import { openEventSource } from './event-source.ts';
import { useLiveApp } from './live-app.ts';
import { statusLabel, untilLive } from './page-checks.ts';
import { eventually, screenshot, test } from './test.ts';

describe('too many posts', () => {
  const app = useLiveApp({ POSTS_PER_MINUTE: '2' });

  test('are refused with a message that says when you may post again', async ({ newVisitor }) => {
    const author = await newVisitor(app.url);
    await author.signUp('hasty');
    const page = await author.context.newPage();
    await page.clock.install();
    await page.goto('/feed');
    const submit = page.getByTestId('composer-submit');
    await page.getByTestId('composer-text').fill('One too many');
    // The minute begins with the first one.
    await author.post('The first');
    await author.post('The second');
    await submit.click();

    await eventually(() => page.getByTestId('composer-error').innerText()).toMatch(/post again in \d+ s/);
    const seconds = async (): Promise<number> =>
      Number(/^Post in (\d+) s$/.exec(await submit.innerText())?.[1] ?? 0);
    await eventually(seconds).toBeGreaterThan(0);
    const atFirst = await seconds();
    expect(atFirst).toBeLessThanOrEqual(60);
    expect(await submit.isDisabled()).toBe(true);
    expect(await page.getByTestId('composer-text').inputValue()).toBe('One too many');
    await screenshot(page, 'too many posts');
    await eventually(seconds).toBeLessThan(atFirst);

    await page.clock.fastForward(atFirst * 1000);
    await eventually(() => submit.innerText()).toBe('Post');
    await eventually(() => submit.isEnabled()).toBe(true);
    await eventually(() => page.getByTestId('composer-error').innerText()).toBe('');
  });
});

describe('too many connections from one address', () => {
  const app = useLiveApp({ CONNECTIONS_PER_ADDRESS: '2' });

  test('are refused, and a refused page comes back by itself once there is room', async ({ newVisitor }) => {
    const crowd = await newVisitor(app.url);
    const quiet = await crowd.open('/healthz');
    const sources = [
      await openEventSource(quiet, '/events?topic=posts', []),
      await openEventSource(quiet, '/events?topic=posts', []),
    ];
    for (const source of sources) await eventually(source.openings).toBe(1);

    const late = await newVisitor(app.url);
    const page = await late.context.newPage();
    const statuses: number[] = [];
    page.on('response', (response) => {
      if (response.url().includes('/events?')) statuses.push(response.status());
    });
    await page.goto('/feed');
    await eventually(() => statusLabel(page)).toMatch(/^Reconnecting in \d+ s$/);
    await page.getByTestId('status').click();
    await screenshot(page, 'too many connections');
    await eventually(() => [...new Set(statuses)]).toEqual([429]);

    await sources[0]?.close();
    await untilLive(page);
    await eventually(() => statuses).toContain(200);
    const author = await newVisitor(app.url);
    await author.signUp('author');
    await author.post('There is room again.');
    await page.getByTestId('post').filter({ hasText: 'There is room again.' }).waitFor();
  });
});

describe('too many connections opened per minute', () => {
  const app = useLiveApp({ CONNECTS_PER_MINUTE: '2' });

  test('are refused, and a refused page comes back after Retry-After', async ({ newVisitor }) => {
    const early = await newVisitor(app.url);
    const quiet = await early.open('/healthz');
    for (let count = 0; count < 2; count += 1) {
      const source = await openEventSource(quiet, '/events?topic=posts', []);
      await eventually(source.openings).toBe(1);
    }

    const late = await newVisitor(app.url);
    const page = await late.context.newPage();
    await page.clock.install();
    let attempts = 0;
    page.on('request', (request) => {
      if (request.url().includes('/events?')) attempts += 1;
    });
    const refusal = page.waitForResponse((response) => response.url().includes('/events?'));
    await page.goto('/feed');
    const told = Number((await refusal).headers()['retry-after']);
    expect(told).toBeGreaterThan(10);
    await eventually(() => statusLabel(page)).toMatch(/^Reconnecting in \d+ s$/);
    // From here on, the page's time passes only as it is told to.
    await eventually(async () => {
      await page.clock.pauseAt((await page.evaluate(() => Date.now())) + 5_000);
      return true;
    }).toBe(true);
    const left = async (): Promise<number> => Number(/\d+/.exec(await statusLabel(page))?.[0] ?? 0);

    // The restarted server has forgotten the requests. For the page, all but a second of the wait passes.
    await app.stop();
    await app.start();
    await page.clock.fastForward(((await left()) - 2) * 1000);
    expect(await statusLabel(page)).toMatch(/^Reconnecting in \d+ s$/);
    expect(attempts).toBe(1);
    // It waits a random time longer than Retry-After.
    await page.clock.fastForward(20_000);
    await page.clock.resume();
    await untilLive(page);
  });
});
