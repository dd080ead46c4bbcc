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
    await author.post('The first');
    await author.post('The second');
    const page = await author.context.newPage();
    await page.clock.install();
    await page.goto('/feed');
    const submit = page.getByTestId('composer-submit');
    await page.getByTestId('composer-text').fill('One too many');
    await submit.click();

    await eventually(() => page.getByTestId('composer-error').innerText()).toMatch(/post again in \d+ s/);
    const seconds = async (): Promise<number> =>
      Number(/^Post in (\d+) s$/.exec(await submit.innerText())?.[1] ?? 0);
    const atFirst = await seconds();
    expect(atFirst).toBeGreaterThan(0);
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
    expect(new Set(statuses)).toEqual(new Set([429]));

    await sources[0]?.close();
    await untilLive(page);
    expect(statuses).toContain(200);
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
    expect(told).toBeGreaterThan(30);
    await eventually(() => statusLabel(page)).toMatch(/^Reconnecting in \d+ s$/);

    // The restarted server has forgotten the requests. For the page, all but ten seconds of the wait pass.
    await app.stop();
    await app.start();
    await page.clock.fastForward((told - 10) * 1000);
    expect(await statusLabel(page)).toMatch(/^Reconnecting in \d+ s$/);
    expect(attempts).toBe(1);
    // It waits a random time longer than Retry-After.
    await page.clock.fastForward(20_000);
    await untilLive(page);
  });
});
