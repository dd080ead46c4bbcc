import { TOPICS } from '../../shared/api.ts';
import type { DashboardSnapshot, MetricName, ViewersSnapshot } from '../../shared/api.ts';
import { formatCount, formatPerSecond } from '../lib/format.ts';
import { createSource } from '../lib/source.ts';
import { isNews } from '../lib/versioned.ts';
import { applyViewers } from '../lib/viewers.ts';
import { createPage } from '../shell/page.ts';
import { need, setText } from '../ui/dom.ts';
import { startFacts } from './facts.ts';
import { startTape } from './tape.ts';

const { stream, start } = createPage();
const figures = [...document.querySelectorAll<HTMLElement>('[data-figure]')];
const people = need(document, '[data-people]', HTMLElement);

const source = createSource(stream.renew);

let latest: Pick<DashboardSnapshot, 'version' | 'metrics'> | undefined;
let viewers: ViewersSnapshot | undefined;

function drawFigures(): void {
  for (const place of figures) {
    const name = place.dataset['figure'] as MetricName;
    const format = name.endsWith('PerSecond') ? formatPerSecond : formatCount;
    setText(place, format(latest?.metrics[name]));
  }
}

function drawPeople(told: ViewersSnapshot | undefined): void {
  viewers = told;
  setText(people, formatCount(viewers?.people, true));
}

stream.on('dashboard:snapshot', (snapshot) => {
  source.begin(snapshot.node);
  latest = snapshot;
  drawFigures();
});
stream.on('dashboard:delta', (delta) => {
  if (!source.accepts(delta.node) || latest === undefined || !isNews(latest, delta)) return;
  latest = { version: delta.version, metrics: { ...latest.metrics, ...delta.metrics } };
  drawFigures();
});
stream.on('viewers:snapshot', drawPeople);
stream.on('viewers:delta', (delta) => drawPeople(applyViewers(viewers, delta)));
startTape(stream);
startFacts(stream);
// Posts and page views are on the tape only: the visitor's own doings, among others.
start({ topics: [TOPICS.dashboard, TOPICS.viewers, TOPICS.posts, TOPICS.pageViews] });
