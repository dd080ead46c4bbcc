import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { eventually } from './test.ts';

/** The words of the indicator in the top bar. */
export function statusLabel(page: Page): Promise<string> {
  return page.getByTestId('status-label').innerText();
}

/** Waits until the page's stream is open. */
export async function untilLive(page: Page): Promise<void> {
  await eventually(() => statusLabel(page)).toMatch(/^Live/);
}

/** What axe-core finds against WCAG 2.2 A and AA and its own good practice, as one line for each place. */
export async function accessibilityProblems(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(async () => {
    const { axe: checker } = globalThis as unknown as { axe: typeof axe };
    return checker.run(document, { resultTypes: ['violations'] });
  });
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target.join(' ')}: ${failureSummary ?? ''}`),
  );
}

/** What makes the page wider than its window, if anything does. */
export function overflowing(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth <= clientWidth) return [];
    return Array.from(document.querySelectorAll('body *'))
      .filter((element) => element.getBoundingClientRect().right > clientWidth + 1)
      .map((element) => `${element.tagName} ${element.className.toString()}`);
  });
}
