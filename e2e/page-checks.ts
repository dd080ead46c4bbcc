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

/**
 * Violations of WCAG 2.2 A and AA and of good practice that axe-core finds, one line per element.
 *
 * @param without names of rules not to look at
 */
export async function accessibilityProblems(page: Page, without: readonly string[] = []): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate((names) => {
    const { axe: checker } = globalThis as unknown as { axe: typeof axe };
    const rules = Object.fromEntries(names.map((name) => [name, { enabled: false }]));
    return checker.run(document, { resultTypes: ['violations'], rules });
  }, without);
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target.join(' ')}: ${failureSummary ?? ''}`),
  );
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
