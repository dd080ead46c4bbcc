import { type LogEntry, canonicalOf } from '../../log/index.ts';
import { ANY, type Store, findEntry, topicKey } from './store.ts';

/** No text sorts after it. */
const ANY_END = '\uffff\uffff';
/** Where the newest event of a key stands. */
type Place = [topic: string, key: string];

export function placeOf(entry: Pick<LogEntry, 'canonical' | 'topics' | 'key'>): Place {
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
  if (entry.expiresAt !== undefined) store.expiries.putSync([entry.expiresAt, ...placeOf(entry)], entry.seq);
  count(store, entry, 1);
}

export function removeValue(store: Store, entry: LogEntry): void {
  if (entry.tombstone) return;
  for (const topic of indexed(entry)) store.values.removeSync([topic, entry.seq]);
  if (entry.expiresAt !== undefined) removeExpiry(store, entry.expiresAt, placeOf(entry), entry.seq);
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

/** Another value of the key may expire at the same moment. */
function removeExpiry({ expiries }: Store, at: number, place: Place, seq: number): void {
  if (expiries.get([at, ...place]) === seq) expiries.removeSync([at, ...place]);
}

/** The newest event of a key, with what `topics` and `key` name it. */
export function newestOf(
  store: Store,
  event: Pick<LogEntry, 'canonical' | 'topics' | 'key'>,
): LogEntry | undefined {
  const seq = store.states.get(placeOf(event))?.at(-1);
  return seq === undefined ? undefined : findEntry(store, seq);
}

/** When the next key expires; Infinity if none does. */
export function nextExpiryOf({ expiries }: Store): number {
  for (const [at] of expiries.getKeys({ limit: 1 })) return at;
  return Infinity;
}

/** Takes values that have expired off the table. @returns all events of their keys, each key's newest last. */
export function takeExpired(store: Store, now: number, most: number): (readonly LogEntry[])[] {
  const expired: (readonly LogEntry[])[] = [];
  for (const { key, value: seq } of Array.from(
    store.expiries.getRange({ end: [now, ANY_END, ANY_END], limit: most }),
  )) {
    const [, ...place] = key;
    store.expiries.removeSync(key);
    const seqs = store.states.get(place) ?? [];
    // A newer value of the key counts, even if it has not taken the topics of this one.
    if (seqs.at(-1) !== seq) continue;
    const values = seqs.map((each) => findEntry(store, each)).filter((entry) => entry !== undefined);
    if (values.length > 0) expired.push(values);
  }
  return expired;
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
