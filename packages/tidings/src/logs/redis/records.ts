import {
  type LogEntry,
  type NewEvent,
  type Retention,
  type TopicRules,
  isState,
  sizeOf,
} from '../../log/index.ts';
import type { Reply } from './connection.ts';

/** An event as the eleven arguments of the script. Topics and ids have no line ends, so these separate them. */
export function toArguments(event: NewEvent, rules: TopicRules): string[] {
  const { topics, type = '', data, id = '', key = '', tombstone, supersededIds = [] } = event;
  const rule = rules.of(topics[0]);
  const state = isState(rules, event);
  const bounds = state ? undefined : rule?.retention;
  const flags = `${state ? 's' : ''}${event.private ? 'p' : ''}${tombstone ? 't' : ''}${bounds === undefined ? '' : 'b'}`;
  const size = sizeOf({ ...event, seq: 0, time: 0, frame: undefined });
  return [
    topics.join('\n'),
    type,
    data,
    id,
    key,
    flags,
    String(size),
    ...toBounds(bounds),
    supersededIds.join('\n'),
  ];
}

/** Events, bytes and milliseconds; -1 where there is no bound. */
export function toBounds({ events, bytes, age }: Retention = {}): [string, string, string] {
  return [toBound(events), toBound(bytes), toBound(age)];
}

function toBound(bound: number | undefined): string {
  return bound === undefined || bound === Infinity ? '-1' : String(bound);
}

/** An entry of the stream: its id, and a list of names and values. */
export function toEntry(reply: Reply): LogEntry {
  const [id, fields] = reply as readonly [string, readonly string[]];
  const found = new Map<string, string>();
  for (let i = 0; i + 1 < fields.length; i += 2) found.set(fields[i] ?? '', fields[i + 1] ?? '');
  const flags = found.get('f') ?? '';
  return {
    seq: Number.parseInt(id, 10),
    time: Number(found.get('m')),
    topics: (found.get('t') ?? '').split('\n') as [string, ...string[]],
    type: found.get('y'),
    data: found.get('d') ?? '',
    id: found.get('i'),
    key: found.get('k'),
    tombstone: flags.includes('t'),
    private: flags.includes('p'),
    frame: undefined,
  };
}
