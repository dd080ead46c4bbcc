import {
  type Answer,
  type LogEntry,
  type NewEvent,
  type Retention,
  type TopicRules,
  SUPERSEDED_ID_WINDOW,
  advanceTime,
  conflictError,
  entryOf,
  expiryOf,
  isState,
  judgePace,
  keysOf,
  leftOf,
  valueSeqOf,
} from '../../log/index.ts';
import { Losses } from './losses.ts';
import {
  addValue,
  excessValue,
  newestOf,
  nextExpiryOf,
  placeOf,
  removeValue,
  takeExpired,
} from './states.ts';
import { type LogState, readState, writeState } from './log-state.ts';
import { type Store, findEntry, putEntry } from './store.ts';
import { TRIM_STEP, countEntry, joinGroup, lose, takeOut, trimGroups, trimLog } from './trim.ts';

export interface WriteContext {
  readonly store: Store;
  readonly rules: TopicRules;
  readonly retention: Retention;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** One transaction's work. */
export interface Transaction extends WriteContext {
  readonly losses: Losses;
  readonly state: LogState;
  readonly changes: Change[];
}

/** An older event that a newer one superseded. */
export interface Change {
  readonly seq: number;
  /** Undefined: nothing. */
  readonly left: LogEntry | undefined;
}

export interface Written {
  readonly appended: readonly Answer[];
  readonly entries: readonly LogEntry[];
  readonly changes: readonly Change[];
  readonly state: LogState;
}

const NONE: readonly never[] = [];

/**
 * Appends, supersedes, expires and trims; without events it only expires and trims. `calls`: how many events each call
 * has. Runs inside of a write transaction, so nobody else writes meanwhile.
 */
export function writeEvents(
  given: WriteContext,
  events: readonly NewEvent[],
  calls: readonly number[] = [events.length],
): Written {
  const { store, now } = given;
  const state = readState(store);
  state.time = advanceTime(state.time, now);
  const context: Transaction = { ...given, state, losses: new Losses(), changes: [] };
  const entries: LogEntry[] = [];
  const write = (event: NewEvent): LogEntry => {
    const entry = entryOf(event, state.head + 1, state.time.last);
    entries.push(entry);
    add(context, entry, event.supersededIds);
    return entry;
  };
  if (state.nextExpiry <= state.time.last) {
    for (const values of takeExpired(store, state.time.last, TRIM_STEP)) write(expiryOf(values));
    state.nextExpiry = nextExpiryOf(store);
  }
  const appended: Answer[] = [];
  for (const call of splitCalls(events, calls)) appended.push(...writeCall(context, call, write));
  forgetSupersededIds(store, state);
  trimLog(context, entries.length + TRIM_STEP);
  if (events.length === 0) trimGroups(context);
  context.losses.write(store, state);
  writeState(store, state);
  return { appended, entries, changes: context.changes, state };
}

function* splitCalls(events: readonly NewEvent[], calls: readonly number[]): Generator<readonly NewEvent[]> {
  let start = 0;
  for (const length of calls) {
    yield events.slice(start, start + length);
    start += length;
  }
}

/** All of the call's events, or an error for each. */
function writeCall(
  { store, state }: Transaction,
  call: readonly NewEvent[],
  write: (event: NewEvent) => LogEntry,
): Answer[] {
  const seqOf = (id: string | undefined): number | undefined =>
    id === undefined ? undefined : store.ids.get(id);
  for (const event of call) {
    if (event.ifSeq === undefined || seqOf(event.id) !== undefined) continue;
    const seq = valueSeqOf(newestOf(store, event), state.time.last);
    if (seq !== event.ifSeq) return call.map(() => conflictError(event, seq));
  }
  return call.map((event) => {
    const known = seqOf(event.id);
    if (known !== undefined) return { seq: known, duplicate: true };
    if (event.pace !== undefined) {
      const newest = newestOf(store, event);
      const verdict = judgePace(event, newest, state.time.last);
      if (verdict.is === 'superseded') return { seq: verdict.seq, duplicate: true };
      if (verdict.is === 'early') return { seq: newest?.seq ?? 0, duplicate: false, wait: verdict.wait };
    }
    return { seq: write(event).seq, duplicate: false };
  });
}

function add(context: Transaction, entry: LogEntry, supersededIds: readonly string[] = NONE): void {
  const { store, rules, state } = context;
  putEntry(store, entry);
  countEntry(context, entry, 1);
  state.head = entry.seq;
  if (entry.id !== undefined) store.ids.putSync(entry.id, entry.seq);
  if (supersededIds.length > 0) addSupersededIds(context, entry.seq, supersededIds);
  if (isState(rules, entry)) {
    state.nextExpiry = Math.min(state.nextExpiry, entry.expiresAt ?? Infinity);
    supersede(context, entry, supersededIds.length);
    const [topic] = entry.topics;
    const most = keysOf(rules, topic);
    for (let lost = 0; lost < TRIM_STEP; lost += 1) {
      const oldest = excessValue(store, topic, most);
      if (oldest === undefined) break;
      lose(context, oldest);
    }
  }
  joinGroup(context, entry);
}

function addSupersededIds({ store, state }: Transaction, seq: number, ids: readonly string[]): void {
  for (const [i, id] of ids.filter((each) => store.ids.get(each) === undefined).entries()) {
    store.ids.putSync(id, seq);
    store.supersededIds.putSync([seq, i], id);
    state.supersededIds += 1;
  }
}

function supersede(context: Transaction, entry: LogEntry, ids: number): void {
  const { store, state, changes } = context;
  const place = placeOf(entry);
  const kept: number[] = [];
  for (const seq of store.states.get(place) ?? []) {
    const older = findEntry(store, seq);
    if (older === undefined) continue;
    const left = leftOf(older, entry);
    if (left === older) {
      kept.push(seq);
      continue;
    }
    removeValue(store, older);
    takeOut(context, older);
    changes.push({ seq, left });
    if (left === undefined) {
      if (older.id === undefined) continue;
      store.supersededIds.putSync([entry.seq, ids + changes.length], older.id);
      state.supersededIds += 1;
    } else if (leave(context, left)) {
      kept.push(seq);
    }
  }
  store.states.putSync(place, [...kept, entry.seq]);
  addValue(store, entry);
}

/** Keeps a superseded event on its remaining topics. @returns whether it is still the value of its key. */
function leave(context: Transaction, left: LogEntry): boolean {
  const { store, rules, state, losses } = context;
  const stays = isState(rules, left);
  if (!stays && left.seq <= state.trimmedTo) {
    // As an event like any other, it is older than all that retention has left.
    if (left.id !== undefined) store.ids.removeSync(left.id);
    losses.record(state, left);
    return false;
  }
  putEntry(store, left);
  countEntry(context, left, 1);
  joinGroup(context, left);
  if (stays) addValue(store, left);
  return stays;
}

function forgetSupersededIds(store: Store, state: LogState): void {
  if (state.supersededIds === 0) return;
  const end: [number, number] = [state.head - SUPERSEDED_ID_WINDOW, 0];
  const tooMany = Math.min(state.supersededIds - SUPERSEDED_ID_WINDOW, TRIM_STEP);
  const range = tooMany > 0 ? { limit: tooMany } : { end, limit: TRIM_STEP };
  for (const { key, value: id } of Array.from(store.supersededIds.getRange(range))) {
    store.supersededIds.removeSync(key);
    state.supersededIds -= 1;
    store.ids.removeSync(id);
  }
}
