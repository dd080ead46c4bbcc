import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, expect, test as base, vi } from 'vitest';
import { DEADLINE } from '../scripts/deadline.ts';
import { launchChromium } from './chromium.ts';
import { createVisitor, type Visitor, type VisitorOptions } from './visitor.ts';

interface Fixtures {
  /** Somebody with a browser of their own: own cookies, own storage, own connections. Leaves with the test. */
  newVisitor: (origin: string, options?: VisitorOptions) => Promise<Visitor>;
}

let browser: Promise<Browser> | undefined;
afterAll(async () => (await browser)?.close());

/** A test in Chromium. It fails, too, if a script of a page did. */
export const test = base.extend<Fixtures>({
  newVisitor: async ({ skip, task }, use) => {
    browser ??= launchChromium({ skip });
    const chromium = await browser;
    const visitors: Visitor[] = [];
    await use(async (origin, options) => {
      const visitor = await createVisitor(chromium, origin, options);
      visitors.push(visitor);
      return visitor;
    });
    const pages = visitors.flatMap(({ context }) => context.pages());
    if (task.result?.state === 'fail') {
      for (const [index, page] of pages.entries()) await screenshot(page, `failed ${task.name} ${index}`);
    }
    await Promise.all(visitors.map(({ context }) => context.close()));
    expect(visitors.flatMap(({ scriptErrors }) => scriptErrors)).toEqual([]);
  },
});

const pictures = fileURLToPath(new URL('screenshots/', import.meta.url));

/** A picture of the window for people to look at; nothing compares it. */
export async function screenshot(page: Page, name: string): Promise<void> {
  await mkdir(pictures, { recursive: true });
  const file = `${name.replaceAll(/[^a-zA-Z0-9]+/g, '-')}.png`;
  await page.screenshot({ path: `${pictures}${file}`, animations: 'disabled' });
}

/** A picture of the whole page, in a window as high as that: bars at the edges of the window are where they belong. */
export async function screenshotOfAll(page: Page, name: string): Promise<void> {
  const size = page.viewportSize() ?? { width: 1280, height: 800 };
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  await page.setViewportSize({ ...size, height: Math.max(size.height, height) });
  await screenshot(page, name);
  await page.setViewportSize(size);
}

/** Repeats an expectation until it is met: `expect.poll`, which tests that run at the same time can't share. */
export function eventually<T>(look: () => T | Promise<T>): ReturnType<typeof expect.poll<T>> {
  type Matchers = Readonly<Record<string, (...args: readonly unknown[]) => void>> & {
    readonly not: Matchers;
  };
  const matchers = (isNot: boolean): object =>
    new Proxy(
      {},
      {
        get(_target, name) {
          if (name === 'not') return matchers(!isNot);
          return (...args: readonly unknown[]): Promise<void> =>
            vi.waitFor(
              async () => {
                const found = expect(await look()) as unknown as Matchers;
                const subject = isNot ? found.not : found;
                const matcher = subject[String(name)];
                if (matcher === undefined) throw new TypeError(`No matcher has the name ${String(name)}.`);
                matcher.apply(subject, [...args]);
              },
              { timeout: DEADLINE, interval: 50 },
            );
        },
      },
    );
  return matchers(false) as never;
}
