import { createHash } from 'node:crypto';
import {
  type Bounds,
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
import type { Row } from './database.ts';

/** Longer topics are shortened in indexes, whose rows have at most 2,704 bytes: to their beginning and a hash. */
const INDEXED_LENGTH = 300;
/** How much of a shortened topic is left. */
export const KEPT_LENGTH = 200;
/** Behind it stands the hash. No topic has control characters. */
const MARK = '\u0001';

/** A topic's name in indexes. */
export function topicKey(topic: string): string {
  // PostgreSQL's texts have no NUL, which begins the name of the hub's own group.
  if (topic.length <= INDEXED_LENGTH) return topic.replace('\u0000', MARK);
  const hash = createHash('sha256').update(topic).digest('base64url').slice(0, 22);
  return `${topic.slice(0, KEPT_LENGTH).toWellFormed()}${MARK}${hash}`;
}

export function isShortened(key: string): boolean {
  // The names of the hub's own topics and group begin with one.
  return key.indexOf(MARK, 1) > 0;
}

/** The columns of an event, which `toEntry` reads. */
export const COLUMNS =
  'e.seq, e.time, e.topics, e.canonical, e.type, e.data, e.id, e.key, e.flags, e.expires_at, e.published_at';

export function toEntry(row: Row): LogEntry {
  const [seq, time, topics, canonical, type, data, id, key, flags, expiresAt, publishedAt] = row;
  const isEscaped = flags?.includes('z') === true;
  return {
    seq: Number(seq),
    time: Number(time),
    topics: (topics ?? '').split('\n') as [string, ...string[]],
    ...(canonical !== null && canonical !== undefined && { canonical }),
    type: type ?? undefined,
    data: isEscaped ? unescapeNul(data ?? '') : (data ?? ''),
    id: id ?? undefined,
    key: key ?? undefined,
    tombstone: flags?.includes('t') === true,
    private: flags?.includes('p') === true,
    ...(typeof expiresAt === 'string' && { expiresAt: Number(expiresAt) }),
    ...(typeof publishedAt === 'string' && { publishedAt: Number(publishedAt) }),
    frame: undefined,
  };
}

/** PostgreSQL's texts have no NUL. */
function escapeNul(data: string): string {
  return data.replaceAll('\\', '\\\\').replaceAll('\u0000', '\\0');
}

function unescapeNul(data: string): string {
  return data.replaceAll(/\\(.)/gs, (_, character: string) => (character === '0' ? '\u0000' : character));
}

/** The events of a call as the function `append` takes them: a list per column, or null if all of it is empty. */
export function toArguments(
  events: readonly NewEvent[],
  calls: readonly number[],
  epoch: string,
  rules: TopicRules,
): readonly unknown[] {
  const lists = new Lists(events.length);
  const groups = new Map<string, Bounds>();
  const firsts = new Map<string, number>();
  const places = new Map<string, number>();
  const stateAt: number[] = [];
  const most: number[] = [];
  let hasMore = false;
  for (const [i, event] of events.entries()) {
    const { topics, data, id, key, tombstone, supersededIds } = event;
    const entry = entryOf(event, 0, 0);
    const isValue = isState(rules, event);
    const hasNul = data.includes('\u0000');
    const flags =
      (event.private ? 'p' : '') +
      (tombstone ? 't' : '') +
      (isHubs(entry) ? 'h' : '') +
      (isValue ? 's' : '') +
      (hasNul ? 'z' : '');
    lists.topics[i] = topics.join('\n');
    if (topics.some((topic) => topic.length > INDEXED_LENGTH))
      lists.set('keys', i, topics.map(topicKey).join('\n'));
    lists.set('types', i, event.type);
    lists.datas[i] = hasNul ? escapeNul(data) : data;
    lists.set('ids', i, id);
    lists.set('names', i, key);
    if (flags !== '') lists.set('flags', i, flags);
    lists.sizes[i] = sizeOf(entry);
    if (supersededIds !== undefined && supersededIds.length > 0)
      lists.set('olds', i, supersededIds.join('\n'));
    if (topics.length > 1) hasMore = true;
    if (id !== undefined) {
      const first = firsts.get(id);
      if (first === undefined) firsts.set(id, i + 1);
      else lists.set('first', i, first);
    }
    if (isValue) {
      lists.set('states', i, topics.map((topic) => (rules.of(topic)?.state === true ? '1' : '0')).join(''));
      stateAt.push(i + 1);
      most.push(keysOf(rules, topics[0]));
      lists.set('previous', i, places.get(`${topics[0]}\n${key}`));
      places.set(`${topics[0]}\n${key}`, i + 1);
      if (!tombstone) lists.set('ttls', i, event.ttl);
      lists.set('ifSeqs', i, event.ifSeq);
      lists.set('intervals', i, event.pace?.interval);
      lists.set('waited', i, event.pace?.waited);
    }
    const bounds = boundsOf(rules, entry);
    if (bounds !== undefined) {
      const group = topicKey(bounds.group);
      groups.set(group, bounds);
      lists.set('groups', i, group);
    }
  }
  const of = (name: ListName): unknown => lists.of(name);
  return [
    ...[lists.topics, of('keys'), of('types'), lists.datas, of('ids'), of('names'), of('flags')],
    ...[lists.sizes, of('states'), of('groups'), of('olds'), of('first'), hasMore],
    ...[stateAt, most, of('ttls'), of('ifSeqs'), of('intervals'), of('waited'), of('previous'), calls, epoch],
    ...toGroupArguments([...groups].map(([name, { retention }]) => ({ name, retention }))),
  ];
}

/** Names and bounds of groups, a list each. */
export function toGroupArguments(
  groups: readonly { readonly name: string; readonly retention: Retention }[],
): readonly unknown[] {
  const bounds = groups.map(({ retention }) => toBounds(retention));
  return [groups.map(({ name }) => name), ...[0, 1, 2].map((i) => bounds.map((each) => each[i]))];
}

/** Events, bytes and milliseconds; null where there is no bound. */
export function toBounds({ events, bytes, age }: Retention = {}): readonly (number | null)[] {
  return [toBound(events), toBound(bytes), toBound(age)];
}

function toBound(bound: number | undefined): number | null {
  return bound === undefined || bound === Infinity ? null : bound;
}

type ListName =
  | ('keys' | 'types' | 'ids' | 'names' | 'flags' | 'states' | 'groups' | 'olds' | 'first')
  | ('previous' | 'ttls' | 'ifSeqs' | 'intervals' | 'waited');

/** Columns of which most are empty in most calls. */
class Lists {
  readonly topics: string[] = [];
  readonly datas: string[] = [];
  readonly sizes: number[] = [];
  readonly #length: number;
  readonly #lists = new Map<ListName, (string | number | null)[]>();

  constructor(length: number) {
    this.#length = length;
  }

  set(name: ListName, at: number, value: string | number | undefined): void {
    if (value === undefined) return;
    let list = this.#lists.get(name);
    if (list === undefined) {
      list = Array.from({ length: this.#length }, () => null);
      this.#lists.set(name, list);
    }
    list[at] = value;
  }

  of(name: ListName): readonly (string | number | null)[] | null {
    return this.#lists.get(name) ?? null;
  }
}
