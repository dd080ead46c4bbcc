import {
  type LogEntry,
  type NewEvent,
  type Retention,
  type TopicRules,
  boundsOf,
  entryOf,
  isHubs,
  isState,
  keysOf,
  sizeOf,
} from '../../log/index.ts';
import { unpack } from './packs.ts';
import type { Reply } from './replies.ts';

/**
 * An event as the six arguments of the script. Topics and ids have no line ends, so these separate them. The last argument is
 * everything that most events don't have: each argument costs the client and Redis more than its bytes.
 */
export function toArguments(event: NewEvent, rules: TopicRules): string[] {
  const { topics, type = '', data, id = '', key = '', tombstone, supersededIds = [] } = event;
  const entry = entryOf(event, 0, 0);
  const state = isState(rules, event);
  const bounds = boundsOf(rules, entry);
  const flags = [state && 's', event.private && 'p', tombstone && 't', isHubs(entry) && 'h'].filter(Boolean);
  const own = [topics.join('\n'), type, data, id, String(sizeOf(entry))];
  const { ifSeq, ttl, pace } = event;
  const isPlain =
    flags.length + supersededIds.length === 0 &&
    key === '' &&
    [bounds, ifSeq, ttl, pace].every((each) => each === undefined);
  if (isPlain) return [...own, ''];
  const special = [
    flags.join(''),
    ...toBounds(bounds?.retention),
    bounds?.group ?? '',
    state ? topics.map((topic) => (rules.of(topic)?.state === true ? '1' : '0')).join('') : '',
    state ? String(keysOf(rules, topics[0])) : '',
    ifSeq ?? '',
    tombstone ? '' : (ttl ?? ''),
    pace?.interval ?? '',
    pace?.waited ?? '',
    supersededIds.length,
    ...supersededIds,
    // Last, because it may have line ends.
    key,
  ];
  return [...own, special.join('\n')];
}

/** Events, bytes and milliseconds; -1 where there is no bound. */
export function toBounds({ events, bytes, age }: Retention = {}): [string, string, string] {
  return [toBound(events), toBound(bytes), toBound(age)];
}

function toBound(bound: number | undefined): string {
  return bound === undefined || bound === Infinity ? '-1' : String(bound);
}

/** An entry of the stream: an event, or a pack of them. */
export interface Stored {
  /** The seqs that it takes. */
  readonly first: number;
  readonly last: number;
  readonly isPack: boolean;
  readonly entries: readonly LogEntry[];
}

interface Fields {
  [name: string]: string | undefined;
}

/** From the reply: its id, and a list of names and values. */
export function toStored(reply: Reply): Stored {
  const [id, list] = reply as readonly [string, readonly string[]];
  const found: Fields = {};
  for (let i = 0; i + 1 < list.length; i += 2) found[list[i] ?? ''] = list[i + 1];
  const last = Number.parseInt(id, 10);
  if (found.n === undefined) return { first: last, last, isPack: false, entries: [toEntry(last, found)] };
  const { t = '', h = '', d = '', i, f } = found;
  const first = last - Number(found.n) + 1;
  return { first, last, isPack: true, entries: unpack({ t, h, d, i, f }, first, Number(found.m)) };
}

function toEntry(seq: number, { m, t = '', y, d = '', i, k, f = '', x, w }: Fields): LogEntry {
  return {
    seq,
    time: Number(m),
    topics: toTopics(t),
    type: y,
    data: d,
    id: i,
    key: k,
    tombstone: f.includes('t'),
    private: f.includes('p'),
    ...(x !== undefined && { expiresAt: Number(x) }),
    ...(w !== undefined && { publishedAt: Number(w) }),
    frame: undefined,
  };
}

/** The entry by the topics that it still has, since newer values of its key have taken the others. */
export function leaving(entry: LogEntry, topics: string): LogEntry {
  return { ...entry, canonical: entry.topics[0], topics: toTopics(topics) };
}

function toTopics(text: string): [string, ...string[]] {
  return text.split('\n') as [string, ...string[]];
}
