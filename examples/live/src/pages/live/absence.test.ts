import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { watchAbsence } from './absence.ts';
import type { Absence } from './absence.ts';

class Page extends EventTarget {
  hidden = false;

  show(shown: boolean): void {
    this.hidden = !shown;
    this.dispatchEvent(new Event('visibilitychange'));
  }
}

let page: Page;
let told: string[];

function watch(): Absence {
  return watchAbsence(page, 1000, { begins: () => told.push('begins'), ends: () => told.push('ends') });
}

beforeEach(() => {
  vi.useFakeTimers();
  page = new Page();
  told = [];
});
afterEach(() => {
  vi.useRealTimers();
});

test('a page hidden for a long time is absent until it is shown', () => {
  const absence = watch();
  page.show(false);
  vi.advanceTimersByTime(999);
  expect(absence.lasts()).toBe(false);
  vi.advanceTimersByTime(1);
  expect(absence.lasts()).toBe(true);
  page.show(true);
  expect(absence.lasts()).toBe(false);
  expect(told).toEqual(['begins', 'ends']);
});

test('a brief look at another tab is not an absence, however often', () => {
  watch();
  for (let look = 0; look < 5; look += 1) {
    page.show(false);
    vi.advanceTimersByTime(900);
    page.show(true);
    vi.advanceTimersByTime(900);
  }
  expect(told).toEqual([]);
});

test('a page opened in the background is absent after the same time', () => {
  page.hidden = true;
  watch();
  vi.advanceTimersByTime(1000);
  expect(told).toEqual(['begins']);
});
