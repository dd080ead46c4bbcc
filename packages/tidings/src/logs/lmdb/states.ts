import { type LogEntry, canonicalOf } from '../../log/index.ts';
import { ANY, type Store, findEntry, topicKey } from './store.ts';

/** Where the newest event of a key stands. */
type Place = [topic: string, key: string];

export function placeOf(entry: LogEntry): Place {
  return [topicKey(canonicalOf(entry)), entry.key ?? ''];
}

/** Whether the event is the newest of its key, or an older one that the newest doesn't replace on all topics. */
export function isKept(store: Store, entry: LogEntry): boolean {
  return store.states.get(placeOf(entry))?.includes(entry.seq) ?? false;
}

/** All of these run inside of a write transaction. */
export function addValue(store: Store, entry: LogEntry): void {
  if (entry.tombstone) return;
  for (const topic of indexed(entry)) store.values.putSync([topic, entry.seq], 0);
  count(store, entry, 1);
}

export function removeValue(store: Store, entry: LogEntry): void {
  if (entry.tombstone) return;
  for (const topic of indexed(entry)) store.values.removeSync([topic, entry.seq]);
  count(store, entry, -1);
}

/** Takes an event out of the states altogether. */
export function forgetState(store: Store, entry: LogEntry): void {
  const place = placeOf(entry);
  const rest = (store.states.get(place) ?? []).filter((seq) => seq !== entry.seq);
  if (rest.length > 0) store.states.putSync(place, rest);
  else store.states.removeSync(place);
  removeValue(store, entry);
}

/** The oldest value of a topic that has more than `most`. */
export function excessValue(store: Store, topic: string, most: number): LogEntry | undefined {
  const key = topicKey(topic);
  if ((store.valueCounts.get(key) ?? 0) <= most) return undefined;
  for (const [, seq] of store.values.getKeys({ start: [key, 0], end: [key, Infinity] })) {
    const entry = findEntry(store, seq);
    // Others have this topic as well, but count for another one.
    if (entry !== undefined && canonicalOf(entry) === topic) return entry;
  }
  return undefined;
}

function indexed({ topics }: LogEntry): string[] {
  return [ANY, ...topics.map(topicKey)];
}

function count(store: Store, entry: LogEntry, change: 1 | -1): void {
  const key = topicKey(canonicalOf(entry));
  const values = (store.valueCounts.get(key) ?? 0) + change;
  if (values > 0) store.valueCounts.putSync(key, values);
  else store.valueCounts.removeSync(key);
}
