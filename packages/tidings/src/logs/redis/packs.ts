import { type LogEntry, type NewEvent, type TopicRules, boundsOf, isHubs, isState } from '../../log/index.ts';

/**
 * A pack: plain events that follow each other, as one entry of the stream. An entry of its own costs an event some 20 µs
 * in Redis, and as much in those that write and read it (`redis`). The entry has the id of the last of its events, and
 * these fields: `t` lists of topics, `h` four numbers for each event: its size, its list, and the lengths of its type and
 * its data; `d` types and data; `i` ids, each with a line end; `n` how many seqs it takes. List 0 marks an event that the
 * log had already, which takes none. Retention takes the first events of a pack by counting on `trimmedTo`.
 */
export interface Pack {
  readonly private: boolean;
  /** Lists of topics, by their text. */
  readonly lists: Map<string, number>;
  readonly events: NewEvent[];
  readonly header: number[];
  text: string;
  size: number;
}

/** A reader of one topic reads a pack as a whole, so packs are small: events, UTF-16 units of text, lists of topics. */
const MAX_EVENTS = 64;
const MAX_LENGTH = 8192;
const MAX_LISTS = 16;

/** Whether nothing but retention ever takes the event from the log. */
export function isPlain(rules: TopicRules, event: NewEvent, entry: LogEntry): boolean {
  const { tombstone, ifSeq, ttl, pace, supersededIds = [], type = '', data } = event;
  if (tombstone || event.key !== undefined || supersededIds.length > 0) return false;
  if (ifSeq !== undefined || ttl !== undefined || pace !== undefined) return false;
  if (type.length + data.length > MAX_LENGTH) return false;
  return !isHubs(entry) && !isState(rules, entry) && boundsOf(rules, entry) === undefined;
}

/** For events like this one. */
export function createPack(event: NewEvent): Pack {
  return { private: event.private, lists: new Map(), events: [], header: [], text: '', size: 0 };
}

export function isRoomFor(pack: Pack, event: NewEvent): boolean {
  const { type = '', data, topics } = event;
  return (
    pack.private === event.private &&
    pack.events.length < MAX_EVENTS &&
    pack.text.length + type.length + data.length <= MAX_LENGTH &&
    (pack.lists.size < MAX_LISTS || pack.lists.has(listOf(topics)))
  );
}

/** @param size the event's, by `sizeOf`. */
export function addTo(pack: Pack, event: NewEvent, size: number): void {
  const { type = '', data, topics } = event;
  const list = listOf(topics);
  let number = pack.lists.get(list);
  if (number === undefined) pack.lists.set(list, (number = pack.lists.size + 1));
  pack.events.push(event);
  pack.header.push(size, number, type.length, data.length);
  pack.text += type + data;
  pack.size += size;
}

function listOf(topics: readonly [string, ...string[]]): string {
  return topics.length === 1 ? topics[0] : topics.join('\n');
}

/** As the arguments of one event. The last one begins with `*`, which no event's does. */
export function packArguments(pack: Pack): string[] {
  const { events, lists, header, text, size } = pack;
  const hasIds = events.some(({ id }) => id !== undefined);
  return [
    [...lists.keys()].join('\n\n'),
    header.join(' '),
    text,
    hasIds ? events.map(({ id = '' }) => `${id}\n`).join('') : '',
    String(size),
    `*${events.length}${pack.private ? 'p' : ''}`,
  ];
}

/** The fields of a pack's entry. */
export interface PackFields {
  readonly t: string;
  readonly h: string;
  readonly d: string;
  readonly i?: string | undefined;
  readonly f?: string | undefined;
}

/** The events of a pack, of which the first has the seq `first`. */
export function unpack({ t, h, d, i, f = '' }: PackFields, first: number, time: number): LogEntry[] {
  const lists = t.split('\n\n').map((list) => list.split('\n') as [string, ...string[]]);
  const header = h.split(' ');
  const ids = i?.split('\n');
  const isPrivate = f.includes('p');
  const entries: LogEntry[] = [];
  let start = 0;
  for (let at = 0; at + 3 < header.length; at += 4) {
    // By index: each event of each node comes through here, and destructuring doubles its time (`redis`).
    const middle = start + Number(header[at + 2]);
    const end = middle + Number(header[at + 3]);
    const topics = lists[Number(header[at + 1]) - 1];
    if (topics !== undefined)
      entries.push({
        seq: first + entries.length,
        time,
        topics,
        type: middle > start ? d.slice(start, middle) : undefined,
        data: d.slice(middle, end),
        id: ids?.[at / 4] || undefined,
        key: undefined,
        tombstone: false,
        private: isPrivate,
        frame: undefined,
      });
    start = end;
  }
  return entries;
}
