import type { ConnectionRow, ConnectionsDelta, ConnectionsSnapshot, HubFigures } from '../../shared/api.ts';
import { sortBy } from '../lib/sort.ts';
import type { Direction, SortOrder } from '../lib/sort.ts';
import { isNews } from '../lib/versioned.ts';

/** The open streams as the page knows them. */
export interface ConnectionsState {
  readonly version: number;
  /** The process that they are open at. */
  readonly node: string;
  readonly rows: ReadonlyMap<string, ConnectionRow>;
  readonly total: number;
  readonly hub: HubFigures;
  /** The mark of this browser's own streams. */
  readonly own: string;
  /** How far the server's clock is ahead of this one, in ms. */
  readonly ahead: number;
}

export function applySnapshot(told: ConnectionsSnapshot, now: number): ConnectionsState {
  return {
    version: told.version,
    node: told.node,
    rows: new Map(told.connections.map((row) => [row.id, row])),
    total: told.total,
    hub: told.hub,
    own: told.own,
    ahead: told.at - now,
  };
}

export function applyDelta(
  have: ConnectionsState | undefined,
  delta: ConnectionsDelta,
): ConnectionsState | undefined {
  if (have === undefined || delta.node !== have.node || !isNews(have, delta)) return have;
  const rows = new Map(have.rows);
  for (const id of delta.removed) rows.delete(id);
  for (const row of delta.upserted) rows.set(row.id, row);
  return { ...have, version: delta.version, rows, total: delta.total, hub: delta.hub };
}

export type Column = 'remote' | 'state' | 'age' | 'topics' | 'lag' | 'bytes' | 'protocol';

export interface ColumnPlan {
  readonly column: Column;
  readonly label: string;
  /** The direction in which the first press sorts. */
  readonly natural: Direction;
  readonly number: boolean;
  readonly value: (row: ConnectionRow) => string | number;
}

/** The columns, in order. */
export const COLUMNS: readonly ColumnPlan[] = [
  {
    column: 'remote',
    label: 'Client',
    natural: 'ascending',
    number: false,
    value: (row) => `${row.remote} ${row.agent}`,
  },
  { column: 'state', label: 'State', natural: 'ascending', number: false, value: (row) => row.state },
  // Sorted by the moment it was opened, which stands still, unlike the age that is shown.
  { column: 'age', label: 'Age', natural: 'descending', number: true, value: (row) => -row.connectedAt },
  {
    column: 'topics',
    label: 'Topics',
    natural: 'ascending',
    number: false,
    value: (row) => row.topics.join(' '),
  },
  { column: 'lag', label: 'Lag', natural: 'descending', number: true, value: (row) => row.lag },
  { column: 'bytes', label: 'Sent', natural: 'descending', number: true, value: (row) => row.bytes },
  {
    column: 'protocol',
    label: 'Protocol',
    natural: 'ascending',
    number: false,
    value: (row) => row.protocol,
  },
];

export function sortRows(state: ConnectionsState, order: SortOrder<Column>): ConnectionRow[] {
  const plan = COLUMNS.find(({ column }) => column === order.column);
  const rows = [...state.rows.values()];
  return plan === undefined ? rows : sortBy(rows, plan.value, order.direction);
}

export interface Totals {
  readonly open: number;
  readonly signedIn: number;
  readonly bytes: number;
}

/** Sums over the listed rows; `open` counts the others, too. */
export function totals(state: ConnectionsState): Totals {
  let [signedIn, bytes] = [0, 0];
  for (const row of state.rows.values()) {
    if (row.signedIn) signedIn += 1;
    bytes += row.bytes;
  }
  return { open: state.total, signedIn, bytes };
}
