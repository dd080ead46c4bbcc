import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type axe from 'axe-core';
import type { Page } from 'playwright-core';
import { eventually } from './test.ts';

const checker = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** The words of the indicator in the top bar. */
export function statusLabel(page: Page): Promise<string> {
  return page.getByTestId('status-label').innerText();
}

/** Waits until the page's stream is open. */
export async function untilLive(page: Page): Promise<void> {
  await eventually(() => statusLabel(page)).toMatch(/^Live/);
}

type Rules = 'all' | 'of colours' | 'but contrast';

/** Rules whose verdict depends on colours. */
const OF_COLOURS = ['color-contrast', 'link-in-text-block'];

/** A page is checked by all rules in light colours; in dark ones, the others would say the same again. */
export function rulesFor(colorScheme: 'light' | 'dark'): Rules {
  return colorScheme === 'light' ? 'all' : 'of colours';
}

/**
 * Violations of WCAG 2.2 A and AA and of good practice that axe-core finds, one line per element. `within` is a selector of the
 * part to look at; without it, that is the whole page.
 */
export async function accessibilityProblems(
  page: Page,
  rules: Rules = 'all',
  within?: string,
): Promise<string[]> {
  const options: axe.RunOptions = {
    resultTypes: ['violations'],
    ...(rules === 'of colours' && { runOnly: OF_COLOURS }),
    ...(rules === 'but contrast' && { rules: { 'color-contrast': { enabled: false } } }),
  };
  await page.evaluate(checker);
  const { violations } = await page.evaluate(
    async ([selector, given]) => {
      const { axe: inPage } = globalThis as unknown as { axe: typeof axe };
      // What is still being faded in has other colours.
      const brief = document
        .getAnimations()
        .filter((animation) => Number(animation.effect?.getComputedTiming().endTime) < Infinity);
      await Promise.allSettled(brief.map(({ finished }) => finished));
      return inPage.run(selector ?? document, given);
    },
    [within, options] as const,
  );
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target.join(' ')}: ${failureSummary ?? ''}`),
  );
}

/** Signs out by the account menu. */
export async function signOut(page: Page): Promise<void> {
  await page.getByTestId('account').click();
  await page.getByTestId('sign-out').click();
  await page.getByTestId('sign-in').waitFor();
}

/** Holds back the first answer to a request of the page, which the server has given. Call it before the page is opened. */
export async function delayFirst(
  page: Page,
  url: RegExp,
): Promise<{ answered: () => Promise<void>; deliver: () => Promise<void> }> {
  const [answer, release, done] = [latch(), latch(), latch()];
  await page.route(
    url,
    async (route) => {
      const response = await route.fetch();
      answer.open();
      await release.opened;
      // The page may have given up on it.
      await route.fulfill({ response }).catch(() => undefined);
      done.open();
    },
    { times: 1 },
  );
  return {
    answered: () => answer.opened,
    deliver() {
      release.open();
      return done.opened;
    },
  };
}

/** Keeps the page's stream from being opened again until it is let through. */
export async function holdStream(page: Page): Promise<() => void> {
  const release = latch();
  await page.route(/\/events\?/, async (route) => {
    await release.opened;
    await route.continue();
  });
  return release.open;
}

function latch(): { opened: Promise<void>; open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

/** The elements that make the page wider than its window. */
export function overflowing(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth <= clientWidth) return [];
    return Array.from(document.querySelectorAll('body *'))
      .filter((element) => element.getBoundingClientRect().right > clientWidth + 1)
      .map((element) => `${element.tagName} ${element.className.toString()}`);
  });
}
