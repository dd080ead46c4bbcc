import { join } from 'node:path';
import { createHub } from 'tidings';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { PAGES } from '../../shared/api.ts';
import type { PageViews } from '../../shared/api.ts';
import { openDatabase } from '../database/open.ts';
import type { Database } from '../database/schema.ts';
import { createOutbox } from '../events/outbox.ts';
import type { Outbox } from '../events/outbox.ts';
import { createLogger } from '../ops/logger.ts';
import { manualClock } from '../testing/clock.ts';
import type { ManualClock } from '../testing/clock.ts';
import { temporaryFolder } from '../testing/server.ts';
import { createPageViews } from './page-views.ts';
import type { PageViewCounter } from './page-views.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const MAX_PAGES = 20;
const hub = createHub();
const log = createLogger('silent');

let db: Database;
let clock: ManualClock;
let outbox: Outbox;
let views: PageViewCounter;
let removeFolder: () => Promise<void>;
/** Data of the events that were published. */
let told: { pages: { page: string; total: number }[] }[];
let loads = 0;

beforeEach(async () => {
  const { folder, remove } = await temporaryFolder();
  removeFolder = remove;
  db = await openDatabase({ file: join(folder, 'live.sqlite') });
  clock = manualClock();
  told = [];
  outbox = createOutbox({
    db,
    clock,
    log,
    hub: {
      publishAll(events) {
        for (const { data } of events) told.push(data as (typeof told)[number]);
        return hub.publishAll(events);
      },
    },
  });
  views = await open();
});
afterEach(async () => {
  await outbox.close();
  await db.destroy();
  await removeFolder();
});

function open(): Promise<PageViewCounter> {
  const bounds = { maxPages: MAX_PAGES, maxIds: 100 };
  return createPageViews({ db, outbox, clock, log, onCount: () => undefined, ...bounds });
}

async function view(page: string, times = 1): Promise<void> {
  for (let i = 0; i < times; i += 1) {
    loads += 1;
    views.record(page, `view-${loads}`);
  }
  await views.flush();
}

const read = (minutes = 60): Promise<Omit<PageViews, 'cursor'>> => views.read(minutes);
async function totals(): Promise<Record<string, number>> {
  return Object.fromEntries((await read()).pages.map(({ page, total }) => [page, total]));
}
const rows = async (table: 'pages' | 'counted_views' | 'page_view_minutes'): Promise<number> =>
  (await db.selectFrom(table).selectAll().execute()).length;

test('made-up names leave room for a page that people view', async () => {
  await view('/shop', 3);
  for (let i = 0; i < 100; i += 1) await view(`/made-up-${i}`);
  expect(await rows('pages')).toBeLessThanOrEqual(MAX_PAGES);
  await view('/new', 2);
  for (let i = 0; i < 100; i += 1) await view(`/made-up-too-${i}`);
  expect(await totals()).toMatchObject({ '/shop': 3, '/new': 2 });
});

test('made-up names with many views give way to current pages within days', async () => {
  for (let i = 0; i < MAX_PAGES; i += 1) await view(`/made-up-${i}`, 40);
  clock.advance(6 * DAY);
  await view('/one');
  await view('/two');
  expect(await totals()).toMatchObject({ '/one': 1, '/two': 1 });
});

test('this app’s own pages always keep their row', async () => {
  for (const page of Object.keys(PAGES)) await view(page);
  clock.advance(DAY);
  for (let i = 0; i < 100; i += 1) await view(`/made-up-${i}`, 2);
  const shown = await totals();
  for (const page of Object.keys(PAGES)) expect(shown[page]).toBe(1);
});

test('the loss of a dropped page is published, and its views stay in the sum', async () => {
  for (let i = 0; i < 30; i += 1) await view(`/page-${i}`);
  const { pages, total } = await read();
  expect(total).toBe(30);
  expect(pages.reduce((sum, page) => sum + page.total, 0)).toBe(30);
  const shown = new Map<string, number>();
  for (const { pages: changed } of told) for (const { page, total } of changed) shown.set(page, total);
  const listed = [...shown].filter(([, count]) => count > 0);
  expect(Object.fromEntries(listed)).toEqual(await totals());
  const again = await open();
  expect(again.total()).toBe(30);
});

test('the delta of a batch fits into an event, however long the names are', async () => {
  const name = (kind: string, i: number): string =>
    `${'x'.repeat(190)}.example/${kind}${'y'.repeat(190)}${i}`;
  for (const kind of ['first', 'second']) {
    for (let i = 0; i < 200; i += 1) views.record(name(kind, i), `${kind}-${i}`);
    await views.flush();
  }
  for (const data of told) expect(JSON.stringify(data).length).toBeLessThan(65_536);
  expect((await read()).total).toBe(400);
});

test('a page that reconnects counts once, and once more only if it was open for more than a day', async () => {
  views.record('/feed', 'the-same');
  views.record('/feed', 'the-same');
  await views.flush();
  clock.advance(DAY - 1000);
  await views.prune();
  views.record('/feed', 'the-same');
  await views.flush();
  expect(views.total()).toBe(1);
  clock.advance(HOUR);
  await views.prune();
  views.record('/feed', 'the-same');
  await views.flush();
  expect(views.total()).toBe(2);
});

test('minutes are sums: they stay when the ids of their views are forgotten', async () => {
  await view('/feed', 3);
  await db.deleteFrom('counted_views').execute();
  await view('/feed');
  const { minutes } = await read(2);
  expect(minutes.at(-1)?.views).toBe(4);
  expect(told.at(-1)).toMatchObject({ minutes: [{ views: 4 }] });
});

test('old minutes and excess ids are deleted, however many there are', async () => {
  await view('/feed');
  clock.advance(31 * DAY);
  for (let i = 0; i < 15; i += 1) await view(`/page-${i}`, 100);
  await views.prune();
  expect(await rows('counted_views')).toBeLessThanOrEqual(100);
  expect(await rows('page_view_minutes')).toBe(1);
  expect(views.total()).toBe(1501);
});

test('views that come faster than the disk takes them are dropped, not piled up', async () => {
  for (let i = 0; i < 12_000; i += 1) views.record('/feed', `flood-${i}`);
  await views.flush();
  expect(views.total()).toBe(10_000);
});
