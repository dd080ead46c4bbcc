import { TOPICS } from '../../shared/api.ts';
import type { NodeFigures } from '../../shared/api.ts';
import { createSource } from '../lib/source.ts';
import { formatAge } from '../lib/time.ts';
import { createPage } from '../shell/page.ts';
import { need, setText } from '../ui/dom.ts';
import { every } from '../ui/every.ts';
import type { TimeSpan } from '../ui/time-chart.ts';
import { createCharts } from './charts.ts';
import { createFiguresTable } from './figures-table.ts';
import { applyDelta, applySnapshot } from './metrics.ts';
import { createNodesTable } from './nodes.ts';
import type { MetricsState } from './metrics.ts';
import { createTiles } from './tiles.ts';

const { stream, start } = createPage();
const tiles = createTiles(need(document, '[data-tiles]', HTMLElement));
const charts = createCharts(need(document, '[data-charts]', HTMLElement));
const details = need(document, '[data-figures]', HTMLDetailsElement);
const table = createFiguresTable(details);
const nodesTable = createNodesTable(need(document, '[data-nodes-section]', HTMLElement));
const windows = need(document, '[data-window]', HTMLFieldSetElement);

const source = createSource(stream.renew);

let state: MetricsState | undefined;
let nodes: readonly NodeFigures[] = [];
let drawnAt = 0;

/** The chosen time, or as much of it as there is, but at least a minute. */
function spanTo(now: number): TimeSpan {
  const chosen = Number(need(windows, ':checked', HTMLInputElement).value);
  const known = now - (state?.samples[0]?.at ?? now);
  return { from: now - Math.min(chosen, Math.max(known, 60_000)), to: now };
}

function draw(): void {
  drawnAt = performance.now();
  const now = Date.now() + (state?.ahead ?? 0);
  const open = stream.state().phase === 'open';
  const last = state?.samples.at(-1);
  // Without a stream, the page can't know whether the server is still up.
  tiles.draw(state, open ? now : (last?.at ?? now));
  if (state === undefined) return;
  nodesTable.draw(nodes, state.node, now);
  const span = spanTo(now);
  // Connected, and nothing new came: the last figures are still valid.
  const holds = open && last !== undefined && last.at < now;
  charts.draw(holds ? [...state.samples, { at: now, metrics: last.metrics }] : state.samples, span);
  table.draw(state, span);
}

stream.on('dashboard:snapshot', (snapshot) => {
  source.begin(snapshot.node);
  state = applySnapshot(state, snapshot, Date.now());
  ({ nodes } = snapshot);
  const interval = snapshot.interval === 1000 ? 'once a second' : `every ${formatAge(snapshot.interval)}`;
  setText(need(document, '[data-interval]', HTMLElement), interval);
  requestAnimationFrame(draw);
});
stream.on('dashboard:delta', (delta) => {
  if (!source.accepts(delta.node)) return;
  state = applyDelta(state, delta, Date.now());
  requestAnimationFrame(draw);
});
stream.on('dashboard:nodes', (told) => {
  if (!source.accepts(told.node)) return;
  ({ nodes } = told);
  requestAnimationFrame(draw);
});
windows.addEventListener('change', draw);
details.addEventListener('toggle', draw);

// Time passes without events, too. An event that has just drawn the page has done this already.
every(1000, () => {
  if (performance.now() - drawnAt > 900) draw();
});
start({ topics: [TOPICS.dashboard] });
