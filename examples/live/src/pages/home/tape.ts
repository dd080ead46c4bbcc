import { formatBytes, formatCount } from '../lib/format.ts';
import { clockTime } from '../lib/time.ts';
import type { Stream } from '../live/stream.ts';
import { element, keyedList, need, setText } from '../ui/dom.ts';
import { addReceipt, excerpt, wordsFor } from './rows.ts';
import type { TapeRow } from './rows.ts';

const ROWS = 4;

/** The events this page received last, newest first: the product at work, on the page that describes it. */
export function startTape(stream: Stream): void {
  const empty = need(document, '[data-tape-empty]', HTMLElement);
  const list = keyedList<TapeRow, HTMLElement>(
    need(document, '[data-tape]', HTMLElement),
    (row) => row.number,
    createRow,
    updateRow,
  );
  let rows: readonly TapeRow[] = [];

  stream.onReceipt((receipt) => {
    rows = addReceipt(rows, receipt, ROWS);
    list.show(rows);
    empty.hidden = true;
  });
}

function createRow({ type }: TapeRow): HTMLElement {
  const item = element('li', 'tape-row');
  item.append(
    element('span', 'tape-time'),
    element('span', 'tape-type', type),
    element('span', 'tape-size'),
    element('span', 'tape-words', wordsFor(type)),
    element('code', 'tape-data'),
  );
  return item;
}

function updateRow(item: HTMLElement, row: TapeRow): void {
  setText(need(item, '.tape-time', HTMLElement), clockTime(row.at, true));
  const times = row.count > 1 ? `${formatCount(row.count)} × · ` : '';
  setText(need(item, '.tape-size', HTMLElement), times + formatBytes(row.size));
  setText(need(item, '.tape-data', HTMLElement), excerpt(row.data));
}
