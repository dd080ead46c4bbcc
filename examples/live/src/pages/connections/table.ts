import type { ConnectionRow } from '../../shared/api.ts';
import { formatBytes, formatCount, plural } from '../lib/format.ts';
import { formatAge, fullTime } from '../lib/time.ts';
import { element, fromTemplate, keyedList, need, setText } from '../ui/dom.ts';
import { sortRows } from './rows.ts';
import type { ConnectionsState } from './rows.ts';
import type { Sorting } from './sorting.ts';

export interface ConnectionsTable {
  draw(state: ConnectionsState): void;
  /** Only the ages, which change by themselves. */
  tick(state: ConnectionsState): void;
}

export function createTable(sorting: Sorting): ConnectionsTable {
  const body = need(document, '[data-rows]', HTMLElement);
  const empty = need(document, '[data-rows-empty]', HTMLElement);
  const listed = need(document, '[data-listed]', HTMLElement);
  let own: string | undefined;
  let drawn = false;
  const list = keyedList<ConnectionRow, HTMLElement>(
    body,
    (row) => row.id,
    createRow,
    (item, row) => {
      updateRow(item, row);
      need(item, '[data-own]', HTMLElement).hidden = row.browser !== own;
    },
  );

  function createRow(): HTMLElement {
    const item = fromTemplate('row-template', HTMLElement);
    // Connections older than the page are not news.
    item.toggleAttribute('data-new', drawn);
    return item;
  }

  function tick(state: ConnectionsState): void {
    const now = Date.now() + state.ahead;
    for (const item of body.children) {
      const row = state.rows.get(item instanceof HTMLElement ? (item.dataset['connection'] ?? '') : '');
      if (row !== undefined)
        setText(need(item, '[data-cell=age]', HTMLElement), formatAge(now - row.connectedAt));
    }
  }

  return {
    draw(state) {
      ({ own } = state);
      list.show(sortRows(state, sorting.order()));
      drawn = true;
      tick(state);
      body.setAttribute('aria-busy', 'false');
      empty.hidden = state.rows.size > 0;
      const all = state.total <= state.rows.size;
      setText(
        listed,
        all ? '' : `${formatCount(state.rows.size, true)} of ${plural(state.total, 'stream')} listed`,
      );
    },
    tick,
  };
}

function updateRow(item: HTMLElement, row: ConnectionRow): void {
  const cell = (name: string): HTMLElement => need(item, `[data-cell=${name}]`, HTMLElement);
  item.dataset['connection'] = row.id;
  setText(need(item, '[data-remote]', HTMLElement), row.remote);
  setText(need(item, '[data-agent]', HTMLElement), row.signedIn ? `${row.agent}, signed in` : row.agent);
  const state = need(item, '[data-state]', HTMLElement);
  setText(state, row.state);
  state.dataset['state'] = row.state;
  cell('age').title = `Since ${fullTime(row.connectedAt)}`;
  setText(cell('lag'), formatCount(row.lag, true));
  setText(cell('bytes'), formatBytes(row.bytes));
  setText(cell('protocol'), row.protocol);
  drawTopics(cell('topics'), row.topics);
}

/** Topics as small labels, made anew only when they change. */
function drawTopics(cell: HTMLElement, topics: readonly string[]): void {
  const text = topics.join(' ');
  if (cell.dataset['shown'] === text) return;
  cell.dataset['shown'] = text;
  const list = element('span', 'topics');
  list.append(...topics.map((topic) => element('span', 'topic', topic)));
  cell.replaceChildren(list);
}
