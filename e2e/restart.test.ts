import type { Page } from 'playwright-core';
import { describe, expect } from 'vitest';
import { userTopic, type PostList } from '../examples/live/src/shared/api.ts';
import { openEventSource, type Dispatched } from './event-source.ts';
import { useLiveApp } from './live-app.ts';
import { holdStream, statusLabel, untilLive } from './page-checks.ts';
import { eventually, screenshot, test } from './test.ts';
import type { Visitor } from './visitor.ts';

/** One answer of the server lists so many posts, with those before and after. */
const AT_MOST = 80;

/** Posts one after another until the server refuses; `answered` has those that it answered with 201. */
function postUntilRefused(author: Visitor, text: string): { answered: string[]; refused: Promise<void> } {
  const answered: string[] = [];
  const post = async (): Promise<void> => {
    while (answered.length < AT_MOST) {
      const next = `${text} ${answered.length}`;
      try {
        await author.post(next);
      } catch {
        return; // The server is gone, as expected.
      }
      answered.push(next);
    }
  };
  return { answered, refused: post() };
}

/** Everything the indicator in the top bar says from now on, however briefly. */
async function followStatus(page: Page): Promise<() => Promise<string[]>> {
  const labels = await page.getByTestId('status-label').evaluateHandle((label) => {
    const seen = [String(label.textContent)];
    new MutationObserver((records) => {
      const added = records.flatMap(({ addedNodes }) => [...addedNodes]);
      seen.push(...added.map(({ textContent }) => String(textContent)));
    }).observe(label, { childList: true });
    return seen;
  });
  return () => labels.jsonValue();
}

const textsOf = (page: Page): Promise<string[]> => page.getByTestId('post-text').allInnerTexts();

/** A row of the panel behind the indicator. */
async function fact(page: Page, name: string): Promise<string> {
  return page.locator(`#status-panel dt:text-is("${name}") + dd`).innerText();
}

describe.each(['memory', 'lmdb'] as const)('on the %s log', (log) => {
  const app = useLiveApp({ EVENT_LOG: log });

  test.for(['stopped', 'killed'] as const)(
    'a page whose server is %s and started again catches up by itself',
    async (how, { newVisitor }) => {
      const [author, reader] = [await newVisitor(app.url), await newVisitor(app.url)];
      await author.signUp(`author_${how}`);
      const me = await reader.signUp(`reader_${how}`);
      const doomed = await author.post(`${how}: will be deleted`);
      const liked = await author.post(`${how}: will be liked`);
      const native = await openEventSource(
        await reader.open('/healthz'),
        `/events?topic=posts&topic=${encodeURIComponent(userTopic(me.id))}`,
        ['post', 'mention'],
      );
      await eventually(native.openings).toBe(1);
      const page = await reader.open('/feed');
      await untilLive(page);
      const labels = await followStatus(page);

      const { answered, refused } = postUntilRefused(author, `${how}: until the end`);
      await eventually(() => answered.length).toBeGreaterThanOrEqual(3);
      if (how === 'stopped') expect(await app.stop()).toBe(0);
      else await app.kill();
      await refused;
      await page.getByTestId('status').click();
      await eventually(() => statusLabel(page)).toMatch(/^Reconnecting/);
      await screenshot(page, `server ${how} ${log}`);

      const letThrough = await holdStream(page);
      const lists: string[] = [];
      page.on('request', (request) => {
        if (new URL(request.url()).pathname === '/posts') lists.push(request.url());
      });
      await app.start();
      await author.post(`${how}: while the page was away`);
      await author.post(`${how}: for @reader_${how}`);
      await author.send('PUT', `/posts/${liked.id}/like`);
      await author.send('DELETE', `/posts/${doomed.id}`);
      expect(await textsOf(page)).not.toContain(`${how}: while the page was away`);
      letThrough();

      await untilLive(page);
      // Of this test: the page lists some of the one before, too.
      const isOwn = (text: string): boolean => text.startsWith(how);
      const { posts } = await author.send<PostList>('GET', '/posts?limit=100');
      const texts = posts.map(({ text }) => text).filter(isOwn);
      await eventually(async () => (await textsOf(page)).filter(isOwn)).toEqual(texts);
      expect(texts).toEqual(expect.arrayContaining(answered));
      await eventually(() =>
        page
          .getByTestId('post')
          .filter({ hasText: `${how}: will be liked` })
          .getByTestId('like-count')
          .innerText(),
      ).toBe('1');
      await eventually(() => page.getByTestId('unread').innerText()).toBe('1');
      await screenshot(page, `server back after ${how} ${log}`);

      const welcomes = async (): Promise<Dispatched[]> =>
        (await native.events()).filter(({ type }) => type === 'tidings:welcome');
      await eventually(async () => (await welcomes()).length).toBe(2);
      if (log === 'memory') {
        // The log died with the process: the page got a gap, and loaded everything again.
        await eventually(() => fact(page, 'Last gap')).toMatch(/\(epoch\)/);
        await eventually(labels).toContain('Catching up…');
        expect(lists).not.toEqual([]);
        expect((await welcomes()).at(-1)?.data).toContain('"reason":"epoch"');
      } else {
        expect(await fact(page, 'Last gap')).toBe('none');
        expect(await labels()).not.toContain('Catching up…');
        expect(lists).toEqual([]);
        expect((await welcomes()).at(-1)?.data).toContain('"resumed":true,"gaps":[]');
        await eventually(async () => (await native.events()).at(-1)?.type).toBe('mention');
        const told = (await native.events()).filter(({ type }) => type === 'post');
        const received: string[] = told.map(({ data }) => JSON.parse(data).text);
        expect(received.toReversed()).toEqual(texts.slice(0, received.length));
        expect(received.length).toBeGreaterThanOrEqual(answered.length + 2);
      }
    },
  );
});
