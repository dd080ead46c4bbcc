import { TOPICS } from '../../shared/api.ts';
import { formatBytes, formatCount, plural } from '../lib/format.ts';
import { createSource } from '../lib/source.ts';
import { createPage } from '../shell/page.ts';
import { need, setText } from '../ui/dom.ts';
import { every } from '../ui/every.ts';
import { applyDelta, applySnapshot, totals } from './rows.ts';
import type { ConnectionsState } from './rows.ts';
import { createSorting } from './sorting.ts';
import { createTable } from './table.ts';

const { stream, start } = createPage();
const table = createTable(createSorting(() => draw()));
const place = (name: string): HTMLElement => need(document, `[data-total=${name}]`, HTMLElement);

const source = createSource(stream.renew);

let state: ConnectionsState | undefined;

function draw(): void {
  if (state === undefined) return;
  const { open, signedIn, bytes } = totals(state);
  const { behind, stalled, head, tailEvents, tailBytes } = state.hub;
  for (const [name, count] of Object.entries({ open, signedIn, behind, stalled, head })) {
    setText(place(name), formatCount(count, true));
  }
  setText(place('bytes'), formatBytes(bytes));
  setText(place('tail'), `tail: ${plural(tailEvents, 'event')}, ${formatBytes(tailBytes)}`);
  table.draw(state);
}

stream.on('connections:snapshot', (snapshot) => {
  source.begin(snapshot.node);
  state = applySnapshot(snapshot, Date.now());
  draw();
});
stream.on('connections:delta', (delta) => {
  if (!source.accepts(delta.node)) return;
  state = applyDelta(state, delta);
  draw();
});
every(1000, () => {
  if (state !== undefined && stream.state().phase === 'open') table.tick(state);
});
start({ topics: [TOPICS.connections] });
