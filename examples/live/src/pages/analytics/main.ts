import { ROUTES, TOPICS } from '../../shared/api.ts';
import type { PageViews, ViewersSnapshot } from '../../shared/api.ts';
import { formatCount, plural } from '../lib/format.ts';
import { clockTime } from '../lib/time.ts';
import { applyViewers } from '../lib/viewers.ts';
import { ask } from '../lib/http.ts';
import { createPage } from '../shell/page.ts';
import { element, need, setText } from '../ui/dom.ts';
import { every } from '../ui/every.ts';
import { createTimeChart } from '../ui/time-chart.ts';
import { createBars } from './bars.ts';
import { startSnippet } from './snippet.ts';
import { applyViews, lastMinutes, MINUTE, SHOWN_MINUTES, viewsOf } from './views.ts';
import type { ViewsState } from './views.ts';

const { stream, start } = createPage();
const viewerBars = createBars(need(document, '[data-viewers]', HTMLElement));
const pageBars = createBars(need(document, '[data-pages]', HTMLElement));
const note = need(document, '[data-views-note]', HTMLElement);
const tableBody = need(document, '[data-views-body]', HTMLElement);
const place = need(document, '[data-views-chart]', HTMLElement);

let viewers: ViewersSnapshot | undefined;
let views: ViewsState | undefined;
let minutes: { at: number; views: number }[] = [];

const chart = createTimeChart(place, {
  series: [{ swatch: need(document, '[data-views-swatch]', HTMLElement), kind: 'bars' }],
  format: (value) => formatCount(value),
  floor: 4,
  whole: true,
  onHover(row) {
    const minute = row === undefined ? undefined : minutes[row];
    const words = minute && `${clockTime(minute.at)}: ${plural(minute.views, 'view')}`;
    setText(note, words ?? `last ${SHOWN_MINUTES} minutes`);
  },
});

function drawViewers(told: ViewersSnapshot | undefined): void {
  viewers = told;
  if (viewers === undefined) return;
  setText(need(document, '[data-people]', HTMLElement), formatCount(viewers.people, true));
  viewerBars.show(
    viewers.pages.map((entry) => ({
      page: entry.page,
      count: entry.viewers,
      label: plural(entry.viewers, 'viewer'),
    })),
  );
  need(document, '[data-viewers-empty]', HTMLElement).hidden = viewers.pages.length > 0;
}

function drawViews(): void {
  if (views === undefined) return;
  minutes = lastMinutes(views, Date.now());
  const lastHour = minutes.reduce((sum, minute) => sum + minute.views, 0);
  setText(need(document, '[data-hour]', HTMLElement), formatCount(lastHour, true));
  setText(need(document, '[data-total]', HTMLElement), formatCount(views.total, true));
  const first = minutes[0]?.at ?? 0;
  chart.draw(
    minutes.map((minute) => minute.at),
    [minutes.map((minute) => minute.views)],
    { from: first, to: first + SHOWN_MINUTES * MINUTE },
  );
  pageBars.show(
    views.pages.map((entry) => ({
      page: entry.page,
      count: entry.total,
      label: plural(entry.total, 'view'),
    })),
  );
  need(document, '[data-pages-empty]', HTMLElement).hidden = views.pages.length > 0;
  drawTable();
}

function drawTable(): void {
  const rows = minutes
    .filter((minute) => minute.views > 0)
    .toReversed()
    .map((minute) => {
      const row = element('tr');
      const head = element('th', '', clockTime(minute.at));
      head.scope = 'row';
      row.append(head, element('td', 'number', formatCount(minute.views, true)));
      return row;
    });
  tableBody.replaceChildren(...rows);
}

async function load(): Promise<string> {
  const path = `${ROUTES.pageViews}?minutes=${SHOWN_MINUTES}`;
  const answer = await ask<PageViews>('GET', path);
  views = viewsOf(answer);
  drawViews();
  return answer.cursor;
}

stream.on('viewers:snapshot', drawViewers);
stream.on('viewers:delta', (delta) => drawViewers(applyViewers(viewers, delta)));
stream.on('pageviews:delta', (delta) => {
  if (views !== undefined) views = applyViews(views, delta);
  drawViews();
});
startSnippet();
// The running minute moves on without any event.
every(10_000, drawViews);
start({ topics: [TOPICS.viewers, TOPICS.pageViews], load });
