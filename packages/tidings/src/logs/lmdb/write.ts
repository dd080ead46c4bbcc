import {
  type Appended,
  type LogEntry,
  type NewEvent,
  type Retention,
  type TopicRules,
  entryOf,
  isState,
  sizeOf,
  SUPERSEDED_ID_WINDOW,
} from '../../log/index.ts';
import { Losses } from './losses.ts';
import {
  type LogState,
  type Store,
  findEntry,
  putEntry,
  readState,
  removeEntry,
  toEntry,
  topicKey,
  writeState,
} from './store.ts';

export interface WriteContext {
  readonly store: Store;
  readonly rules: TopicRules;
  readonly retention: Retention;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** One transaction's work. */
interface Transaction extends WriteContext {
  readonly losses: Losses;
  /** Whether any topic has a size, which those with a bound of their own have. */
  hasSizes: boolean;
}

export interface Written {
  readonly appended: readonly Appended[];
  readonly entries: readonly LogEntry[];
  /** Seqs that are no longer in the log, because newer events stand for them. */
  readonly superseded: readonly number[];
  readonly state: LogState;
}

/** What one transaction trims beyond what it appends, so that none takes long. */
const TRIM_STEP = 1000;
/** Events read at once to see whether they are to go: at least, since mostly few are, and at most. */
const TRIM_PAGE = { least: 16, most: 256 };

/** Appends, supersedes and trims; without events it only trims. Runs inside of a write transaction, so nobody else writes meanwhile. */
export function writeEvents(given: WriteContext, events: readonly NewEvent[]): Written {
  const { store, rules, now } = given;
  const state = readState(store);
  const hasSizes = Array.from(store.sizes.getKeys({ limit: 1 })).length > 0;
  const context: Transaction = { ...given, losses: new Losses(), hasSizes };
  const entries: LogEntry[] = [];
  const superseded: number[] = [];
  const appended = events.map((event) => {
    const known = event.id === undefined ? undefined : store.ids.get(event.id);
    if (known !== undefined) return { seq: known, duplicate: true };
    const entry = entryOf(event, state.head + 1, now);
    putEntry(store, state, entry);
    rememberSupersededIds(store, event, entry.seq);
    if (isState(rules, entry)) {
      const before = supersede(store, state, entry);
      if (before !== undefined) superseded.push(before);
    } else {
      growTopic(context, state, entry);
    }
    entries.push(entry);
    return { seq: entry.seq, duplicate: false };
  });
  forgetSupersededIds(store, state);
  trimLog(context, state, entries.length + TRIM_STEP);
  if (events.length === 0) trimTopics(context, state);
  context.losses.write(store, state);
  writeState(store, state);
  return { appended, entries, superseded, state };
}

/** Topics nobody publishes to are trimmed in turns. */
function trimTopics(context: Transaction, state: LogState): void {
  const { store, rules } = context;
  const topics = Array.from(store.sizes.getKeys({ start: state.sweptTo, limit: TRIM_STEP }));
  for (const topic of topics) trimTopic(context, state, topic, rules.of(topic)?.retention ?? {});
  // The next turn goes on from the last one, or from the first again.
  state.sweptTo = topics.length < TRIM_STEP ? '' : (topics.at(-1) ?? '');
}

function supersede(store: Store, state: LogState, entry: LogEntry): number | undefined {
  const place = stateOf(entry);
  const seq = store.states.get(place);
  store.states.putSync(place, entry.seq);
  const before = seq === undefined ? undefined : findEntry(store, seq);
  if (before === undefined) return undefined;
  removeEntry(store, state, before);
  if (before.id !== undefined) store.supersededIds.putSync(before.seq, before.id);
  return before.seq;
}

function rememberSupersededIds(store: Store, { supersededIds = [] }: NewEvent, seq: number): void {
  for (const [i, id] of supersededIds.entries()) {
    if (store.ids.get(id) !== undefined) continue;
    store.ids.putSync(id, seq);
    store.supersededIds.putSync([seq, i], id);
  }
}

function forgetSupersededIds(store: Store, state: LogState): void {
  const end = state.head - SUPERSEDED_ID_WINDOW;
  const { entryCount } = store.supersededIds.getStats() as { entryCount: number };
  const tooMany = Math.min(entryCount - SUPERSEDED_ID_WINDOW, TRIM_STEP);
  const range = tooMany > 0 ? { limit: tooMany } : { end, limit: TRIM_STEP };
  for (const { key, value: id } of Array.from(store.supersededIds.getRange(range))) {
    const seq = typeof key === 'number' ? key : key[0];
    store.supersededIds.removeSync(key);
    if (store.ids.get(id) === seq) store.ids.removeSync(id);
  }
}

/** Takes the oldest events until the log is within its bounds, but leaves the newest event of each key. */
function trimLog(context: Transaction, state: LogState, most: number): void {
  const { store, retention, now } = context;
  const { events = Infinity, bytes = Infinity, age = Infinity } = retention;
  const isFull = (): boolean => state.events > events || state.bytes > bytes;
  if (!isFull() && age === Infinity) return;
  for (let looked = 0, limit = 0; looked < most; looked += limit) {
    limit = Math.min(Math.max(TRIM_PAGE.least, state.events - events), TRIM_PAGE.most);
    const page = Array.from(store.events.getRange({ start: state.trimmedTo + 1, limit }));
    for (const { key: seq, value } of page) {
      const entry = toEntry(seq, value);
      if (!isFull() && now - entry.time <= age) return;
      state.trimmedTo = seq;
      trimEntry(context, state, entry);
    }
    if (page.length < limit) return;
  }
}

function trimEntry(context: Transaction, state: LogState, entry: LogEntry): void {
  const { store, rules } = context;
  const isNewest = isState(rules, entry) && store.states.get(stateOf(entry)) === entry.seq;
  if (isNewest && !entry.tombstone) return;
  if (isNewest) store.states.removeSync(stateOf(entry));
  lose(context, state, entry);
  shrinkTopic(context, entry);
}

function stateOf(entry: LogEntry): [string, string] {
  return [topicKey(entry.topics[0]), entry.key ?? ''];
}

function lose({ store, losses }: Transaction, state: LogState, entry: LogEntry): void {
  removeEntry(store, state, entry);
  if (entry.id !== undefined) store.ids.removeSync(entry.id);
  losses.record(state, entry);
}

function growTopic(context: Transaction, state: LogState, entry: LogEntry): void {
  const [topic] = entry.topics;
  const retention = context.rules.of(topic)?.retention;
  if (retention === undefined) return;
  context.hasSizes = true;
  const { events, bytes } = context.store.sizes.get(topicKey(topic)) ?? { events: 0, bytes: 0 };
  context.store.sizes.putSync(topicKey(topic), { events: events + 1, bytes: bytes + sizeOf(entry) });
  trimTopic(context, state, topicKey(topic), retention);
}

function shrinkTopic({ store, hasSizes }: Transaction, entry: LogEntry): void {
  if (!hasSizes) return;
  const key = topicKey(entry.topics[0]);
  const size = store.sizes.get(key);
  if (size === undefined) return;
  if (size.events <= 1) store.sizes.removeSync(key);
  else store.sizes.putSync(key, { events: size.events - 1, bytes: size.bytes - sizeOf(entry) });
}

/** Takes a topic's oldest events until it is within its bounds. */
function trimTopic(context: Transaction, state: LogState, key: string, retention: Retention): void {
  const { store, now } = context;
  const { events = Infinity, bytes = Infinity, age = Infinity } = retention;
  let size = store.sizes.get(key);
  for (const [, seq] of Array.from(
    store.topics.getKeys({ start: [key, 0], end: [key, Infinity], limit: TRIM_STEP }),
  )) {
    if (size === undefined) return;
    const entry = findEntry(store, seq);
    // Another topic's event that carries this one too is bounded by that topic.
    if (entry === undefined || topicKey(entry.topics[0]) !== key) continue;
    if (size.events <= events && size.bytes <= bytes && now - entry.time <= age) return;
    lose(context, state, entry);
    shrinkTopic(context, entry);
    size = store.sizes.get(key);
  }
}
