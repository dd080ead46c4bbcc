import {
  type Answer,
  type LogEntry,
  type NewEvent,
  type Retention,
  type TopicRules,
  boundsOf,
  conflictError,
  entryOf,
  isHubs,
  isState,
  keysOf,
  sizeOf,
} from '../../log/index.ts';
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

/** An entry of the stream: its id, and a list of names and values. */
export function toEntry(reply: Reply): LogEntry {
  const [id, fields] = reply as readonly [string, readonly string[]];
  const found = new Map<string, string>();
  for (let i = 0; i + 1 < fields.length; i += 2) found.set(fields[i] ?? '', fields[i + 1] ?? '');
  const flags = found.get('f') ?? '';
  return {
    seq: Number.parseInt(id, 10),
    time: Number(found.get('m')),
    topics: toTopics(found.get('t') ?? ''),
    type: found.get('y'),
    data: found.get('d') ?? '',
    id: found.get('i'),
    key: found.get('k'),
    tombstone: flags.includes('t'),
    private: flags.includes('p'),
    ...(found.has('x') && { expiresAt: Number(found.get('x')) }),
    ...(found.has('w') && { publishedAt: Number(found.get('w')) }),
    frame: undefined,
  };
}

/** The script's answers to the events of one call. */
export function toAnswers(answers: readonly string[], call: readonly NewEvent[]): Answer[] {
  return answers.map((text) => {
    const code = text.charAt(0);
    const [first = 0, second = 0] = text
      .replace(/^[-wx]/, '')
      .split(',')
      .map(Number);
    if (code === '-') return { seq: first, duplicate: true };
    if (code === 'w') return { seq: second, duplicate: false, wait: first };
    // The call's event whose condition failed, and the seq of that key's value.
    if (code === 'x') return conflictError(call[first] as NewEvent, second);
    return { seq: first, duplicate: false };
  });
}

/** The entry by the topics that it still has, since newer values of its key have taken the others. */
export function leaving(entry: LogEntry, topics: string): LogEntry {
  return { ...entry, canonical: entry.topics[0], topics: toTopics(topics) };
}

function toTopics(text: string): [string, ...string[]] {
  return text.split('\n') as [string, ...string[]];
}
