import { type LogTime, START } from '../../log/index.ts';
import type { Store } from './store.ts';

/** The log's own state: one record, written with each transaction. */
export interface LogState {
  head: number;
  /** Of the events that count against the log's bounds. */
  events: number;
  bytes: number;
  time: LogTime;
  /** Retention has looked at everything up to this seq, and left only the newest events of keys there. */
  trimmedTo: number;
  /** The newest seq that retention took. */
  newestLoss: number;
  /** How many events retention has taken. */
  lossCount: number;
  public: LossState;
  private: LossState;
  /** The last topic that was looked at for events too old. */
  sweptTo: string;
  /** How many rows `sizes` and `supersededIds` have: mostly none, and a look at a table takes longer than an append. */
  groups: number;
  supersededIds: number;
  /** No key expires before. */
  nextExpiry: number;
}

/** How the state is stored. Encoding nested records instead of a tuple takes ten times as long (bench: `publish`). */
type StateRecord = readonly [
  head: number,
  events: number,
  bytes: number,
  lastTime: number,
  timeAhead: number,
  trimmedTo: number,
  newestLoss: number,
  lossCount: number,
  publicLosses: readonly number[],
  privateLosses: readonly number[],
  sweptTo: string,
  groups: number,
  supersededIds: number,
  nextExpiry: number,
];

/** The losses of one kind of event, all together. */
export interface LossState {
  readonly all: LossRecord;
  /** How many topics have a record of their loss; and the combined loss of the others. */
  readonly records: number;
  readonly forgotten: LossRecord;
}

/** Public events are counted apart from private ones (`LossTally`). */
export type LossKind = 'public' | 'private';
export const LOSS_KINDS: readonly LossKind[] = ['public', 'private'];

/** As in `Loss`. */
export type LossRecord = readonly [seq: number, count: number];

const NO_LOSSES: LossState = { all: [0, 0], records: 0, forgotten: [0, 0] };
const EMPTY: LogState = {
  head: 0,
  events: 0,
  bytes: 0,
  time: START,
  trimmedTo: 0,
  newestLoss: 0,
  lossCount: 0,
  public: NO_LOSSES,
  private: NO_LOSSES,
  sweptTo: '',
  groups: 0,
  supersededIds: 0,
  nextExpiry: Infinity,
};

/** A copy, which `writeState` puts back. */
export function readState(store: Store): LogState {
  const record = store.meta.get('state') as StateRecord | undefined;
  if (record === undefined) return { ...EMPTY };
  const [head, events, bytes, last, ahead, trimmedTo, newestLoss, lossCount] = record;
  return {
    head,
    events,
    bytes,
    time: { last, ahead },
    trimmedTo,
    newestLoss,
    lossCount,
    public: toLosses(record[8]),
    private: toLosses(record[9]),
    sweptTo: record[10],
    groups: record[11],
    supersededIds: record[12],
    nextExpiry: record[13],
  };
}

function toLosses([
  seq = 0,
  count = 0,
  records = 0,
  forgottenSeq = 0,
  forgottenCount = 0,
]: readonly number[]): LossState {
  return { all: [seq, count], records, forgotten: [forgottenSeq, forgottenCount] };
}

export function writeState(store: Store, state: LogState): void {
  const { time, public: publicLosses, private: privateLosses } = state;
  const record: StateRecord = [
    state.head,
    state.events,
    state.bytes,
    time.last,
    time.ahead,
    state.trimmedTo,
    state.newestLoss,
    state.lossCount,
    [...publicLosses.all, publicLosses.records, ...publicLosses.forgotten],
    [...privateLosses.all, privateLosses.records, ...privateLosses.forgotten],
    state.sweptTo,
    state.groups,
    state.supersededIds,
    state.nextExpiry,
  ];
  store.meta.putSync('state', record);
}
