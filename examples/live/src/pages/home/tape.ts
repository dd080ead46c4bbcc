import { formatBytes } from '../lib/format.ts';
import { clockTime } from '../lib/time.ts';
import type { Receipt, Stream } from '../live/stream.ts';
import { element, keyedList, need } from '../ui/dom.ts';

interface Row extends Receipt {
  readonly number: number;
}

const ROWS = 7;

/** The events this page received last, newest first: the product at work, on the page that describes it. */
export function startTape(stream: Stream): void {
  const empty = need(document, '[data-tape-empty]', HTMLElement);
  const list = keyedList<Row, HTMLElement>(
    need(document, '[data-tape]', HTMLElement),
    (row) => row.number,
    createRow,
    () => undefined,
  );
  let rows: Row[] = [];
  let received = 0;

  stream.onReceipt((receipt) => {
    received += 1;
    rows = [{ ...receipt, number: received }, ...rows].slice(0, ROWS);
    list.show(rows);
    empty.hidden = true;
  });
}

function createRow(row: Row): HTMLElement {
  const item = element('li', 'tape-row');
  item.append(
    element('span', 'tape-time', clockTime(row.at, true)),
    element('span', 'tape-type', row.type),
    element('span', 'tape-size', formatBytes(row.data.length)),
  );
  return item;
}
