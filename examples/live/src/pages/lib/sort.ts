export type Direction = 'ascending' | 'descending';

export interface SortOrder<Column extends string> {
  readonly column: Column;
  readonly direction: Direction;
}

/** The order after pressing a column's header: the other direction, or that column in its natural direction. */
export function nextOrder<Column extends string>(
  order: SortOrder<Column>,
  column: Column,
  natural: Direction,
): SortOrder<Column> {
  if (order.column !== column) return { column, direction: natural };
  return { column, direction: order.direction === 'ascending' ? 'descending' : 'ascending' };
}

/** A sorted copy. Numbers by size, texts by locale; equal rows keep the order they came in. */
export function sortBy<Row>(
  rows: readonly Row[],
  value: (row: Row) => string | number,
  direction: Direction,
): Row[] {
  const sign = direction === 'ascending' ? 1 : -1;
  return rows.toSorted((left, right) => sign * compare(value(left), value(right)));
}

function compare(left: string | number, right: string | number): number {
  if (typeof left === 'number' && typeof right === 'number') return left - right;
  return String(left).localeCompare(String(right), 'en', { numeric: true });
}
