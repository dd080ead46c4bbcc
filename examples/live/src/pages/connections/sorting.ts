import { nextOrder } from '../lib/sort.ts';
import type { SortOrder } from '../lib/sort.ts';
import { fromTemplate, need, setAttribute, setText } from '../ui/dom.ts';
import { COLUMNS } from './rows.ts';
import type { Column, ColumnPlan } from './rows.ts';

export interface Sorting {
  order(): SortOrder<Column>;
}

/** The table's headers, and on a phone, which shows no headers, a list that does the same. */
export function createSorting(changed: () => void): Sorting {
  let order: SortOrder<Column> = { column: 'age', direction: 'ascending' };
  const headers = COLUMNS.map((plan) => ({ plan, header: createHeader(plan, () => choose(plan)) }));
  const select = need(document, '[data-sort-select]', HTMLSelectElement);
  for (const plan of COLUMNS) select.append(new Option(plan.label, plan.column));

  function choose(plan: ColumnPlan): void {
    order = nextOrder(order, plan.column, plan.natural);
    draw();
    changed();
  }

  function draw(): void {
    select.value = order.column;
    for (const { plan, header } of headers) {
      setAttribute(header, 'aria-sort', plan.column === order.column ? order.direction : null);
    }
  }

  select.addEventListener('change', () => {
    const plan = COLUMNS.find(({ column }) => column === select.value);
    if (plan !== undefined) choose(plan);
  });
  need(document, '[data-headers]', HTMLElement).append(...headers.map(({ header }) => header));
  draw();
  return { order: () => order };
}

function createHeader(plan: ColumnPlan, press: () => void): HTMLElement {
  const header = fromTemplate('header-template', HTMLElement);
  header.dataset['column'] = plan.column;
  header.classList.toggle('number', plan.number);
  setText(need(header, 'span', HTMLElement), plan.label);
  need(header, 'button', HTMLButtonElement).addEventListener('click', press);
  return header;
}
