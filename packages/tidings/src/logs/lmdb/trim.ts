import {
  HUBS_BOUNDS,
  type LogEntry,
  type Retention,
  boundsOf,
  isCounted,
  isHubs,
  sizeOf,
} from '../../log/index.ts';
import { countLoss } from './losses.ts';
import { forgetState, isKept } from './states.ts';
import { toDoomedEntry } from './record.ts';
import { entriesFrom, findEntry, removeEntry, topicKey } from './store.ts';
import type { Transaction } from './write.ts';

/** The most events a transaction trims beyond those it appends, which bounds its time. */
export const TRIM_STEP = 1000;
/** Events read at once to see whether they are to go: at least, since mostly few are, and at most. */
const TRIM_PAGE = { least: 16, most: 256 };

/** Takes the oldest events until the log is within its bounds, but leaves the values of keys. */
export function trimLog(context: Transaction, most: number): void {
  const { store, retention, state } = context;
  const { events = Infinity, bytes = Infinity, age = Infinity } = retention;
  const isFull = (): boolean => state.events > events || state.bytes > bytes;
  if (!isFull() && age === Infinity) return;
  for (let looked = 0, limit = 0; looked < most; looked += limit) {
    limit = Math.min(Math.max(TRIM_PAGE.least, state.events - events), TRIM_PAGE.most);
    const page = [...entriesFrom(store, { start: state.trimmedTo + 1, limit }, toDoomedEntry)];
    for (const [seq, entry] of page) {
      if (!isFull() && entry !== undefined && state.time.last - entry.time <= age) return;
      state.trimmedTo = seq;
      if (entry === undefined) loseDamaged(context, seq);
      else if (entry.tombstone || !isKept(store, entry)) lose(context, entry);
    }
    if (page.length < limit) return;
  }
}

/** Topics without new events are trimmed in turns. */
export function trimGroups(context: Transaction): void {
  const { store, rules, state } = context;
  const groups = Array.from(store.sizes.getKeys({ start: state.sweptTo, limit: TRIM_STEP }));
  for (const group of groups) {
    const [member] = Array.from(
      store.members.getKeys({ start: [group, 0], end: [group, Infinity], limit: 1 }),
    );
    const entry = member === undefined ? undefined : findEntry(store, member[1]);
    const bounds = entry === undefined ? undefined : boundsOf(rules, entry);
    if (bounds !== undefined) trimGroup(context, group, bounds.retention);
  }
  // The next turn goes on from the last one, or from the first again.
  state.sweptTo = groups.length < TRIM_STEP ? '' : (groups.at(-1) ?? '');
}

/** Retention takes the event. */
export function lose(context: Transaction, entry: LogEntry): void {
  const { store, losses, state } = context;
  if (isKept(store, entry)) forgetState(store, entry);
  takeOut(context, entry);
  if (entry.id !== undefined) store.ids.removeSync(entry.id);
  losses.record(state, entry);
}

/** Takes a record that the disk has altered: as far as anybody knows, it was of any topic. */
function loseDamaged({ store, state }: Transaction, seq: number): void {
  store.events.removeSync(seq);
  state.events = Math.max(0, state.events - 1);
  const count = countLoss(state, 'public', seq);
  state.public = { ...state.public, forgotten: [Math.max(state.public.forgotten[0], seq), count] };
}

/** Removes the event from the log and from its bounded group. */
export function takeOut(context: Transaction, entry: LogEntry): void {
  removeEntry(context.store, entry);
  countEntry(context, entry, -1);
  leaveGroup(context, entry);
}

export function countEntry({ rules, state }: Transaction, entry: LogEntry, change: 1 | -1): void {
  if (!isCounted(rules, entry)) return;
  state.events += change;
  state.bytes += change * sizeOf(entry);
}

export function joinGroup(context: Transaction, entry: LogEntry): void {
  const { store, rules, state } = context;
  const bounds = boundsOf(rules, entry);
  if (bounds === undefined) return;
  const group = topicKey(bounds.group);
  const known = store.sizes.get(group);
  if (known === undefined) state.groups += 1;
  const { events, bytes } = known ?? { events: 0, bytes: 0 };
  store.sizes.putSync(group, { events: events + 1, bytes: bytes + sizeOf(entry) });
  store.members.putSync([group, entry.seq], 0);
  trimGroup(context, group, bounds.retention);
}

/** By what it joined, since the rules may have changed. */
function leaveGroup({ store, state }: Transaction, entry: LogEntry): void {
  if (state.groups === 0) return;
  const group = topicKey(isHubs(entry) ? HUBS_BOUNDS.group : entry.topics[0]);
  const size = store.sizes.get(group);
  if (size === undefined || !store.members.removeSync([group, entry.seq])) return;
  if (size.events > 1) {
    store.sizes.putSync(group, { events: size.events - 1, bytes: size.bytes - sizeOf(entry) });
    return;
  }
  store.sizes.removeSync(group);
  state.groups -= 1;
}

/** Removes a group's oldest events until it is within its bounds. */
function trimGroup(context: Transaction, group: string, retention: Retention): void {
  const { store, state } = context;
  const { events = Infinity, bytes = Infinity, age = Infinity } = retention;
  const range = { start: [group, 0] as [string, number], end: [group, Infinity] as [string, number] };
  for (let taken = 0; taken < TRIM_STEP; taken += 1) {
    const size = store.sizes.get(group);
    const [oldest] = Array.from(store.members.getKeys({ ...range, limit: 1 }));
    const entry = oldest === undefined ? undefined : findEntry(store, oldest[1]);
    if (size === undefined || oldest === undefined) return;
    if (entry === undefined) {
      // Damaged. About its size nothing is known but that it counted.
      store.members.removeSync(oldest);
      store.sizes.putSync(group, { ...size, events: size.events - 1 });
      continue;
    }
    if (size.events <= events && size.bytes <= bytes && state.time.last - entry.time <= age) return;
    lose(context, entry);
  }
}
