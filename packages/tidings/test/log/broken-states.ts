/** Logs that fail their duties for states, snapshots, ids, topics' bounds and waiting. */
import type { EventLog } from '../../src/log/event-log.ts';
import type { LogEntry } from '../../src/log/entry.ts';
import { type Page, toPage } from '../../src/log/page.ts';
import { memoryLog } from '../../src/logs/memory/index.ts';
import { createMatcherSet } from '../../src/protocol/matcher-set.ts';
import type { OpenLogOptions } from '../../src/testing/contract-case.ts';
import { type BrokenLog, changing, withFault } from './broken-logs.ts';

export const brokenStates: readonly BrokenLog[] = [
  [
    'reads all events for a snapshot',
    'gives in a snapshot the values of the wanted topics, in seq order',
    withFault((log) => ({ read: ({ snapshot: _, ...query }) => log.read(query) })),
  ],
  [
    'has nothing in its snapshots',
    'gives in a snapshot the values of the wanted topics, in seq order',
    withFault((log) => ({
      read: (query) =>
        query.snapshot === true ? Promise.resolve({ entries: [], next: log.tail.head }) : log.read(query),
    })),
  ],
  [
    'gives a snapshot newest first',
    'gives in a snapshot the values of the wanted topics, in seq order',
    withFault((log) => changingSnapshots(log, (page) => ({ ...page, entries: page.entries.toReversed() }))),
  ],
  [
    'gives a snapshot on one page, however large',
    'gives a snapshot in pages that stays consistent while values change',
    withFault((log) => ({
      read: (query) =>
        log.read(
          query.snapshot === true ? { ...query, limit: { events: Infinity, length: Infinity } } : query,
        ),
    })),
  ],
  [
    'ignores how many values a page of a snapshot may look at',
    'looks at no more values for a page of a snapshot than its limit allows',
    withFault((log) => ({
      read: (query) =>
        log.read(query.snapshot === true ? { ...query, limit: { ...query.limit, looks: Infinity } } : query),
    })),
  ],
  [
    'begins each page of a snapshot anew',
    'gives a snapshot in pages that stays consistent while values change',
    withFault((log) => ({
      read: (query) => log.read(query.snapshot === true ? { ...query, after: 0 } : query),
    })),
  ],
  [
    'ends a snapshot after its first page',
    'gives a snapshot in pages that stays consistent while values change',
    withFault((log) => changingSnapshots(log, (page) => ({ ...page, next: log.tail.head }))),
  ],
  [
    'gives deleted keys in a snapshot',
    'leaves deleted keys out of a snapshot, but gives followers the deletion',
    withFault((log) => ({
      append: (events) => log.append(events.map((event) => ({ ...event, tombstone: false }))),
    })),
  ],
  [
    'finds values by their first topic only',
    'finds values in a snapshot by their second topic, too',
    withFault((log) => ({
      read: (query) =>
        log.read(
          query.snapshot === true
            ? {
                ...query,
                wants: (entry) => query.matchers.matchesTopic(entry.topics[0]) && query.wants(entry),
              }
            : query,
        ),
    })),
  ],
  [
    'gives every value in a snapshot, wanted or not',
    'gives in a snapshot the values of the wanted topics, in seq order',
    withFault((log) => ({
      read: (query) =>
        log.read(
          query.snapshot === true
            ? { ...query, wants: () => true, matchers: createMatcherSet([{ pattern: '*' }]) }
            : query,
        ),
    })),
  ],
  [
    'never finishes catching up',
    'has every earlier event once catchUp resolves',
    withFault(() => ({ catchUp: () => new Promise(() => {}) })),
  ],
  [
    'never closes',
    'refuses to append and to read once it is closed, and can be closed twice',
    withFault(() => ({ close: () => new Promise(() => {}) })),
  ],
  [
    'never reads',
    'reads back every field of an event',
    withFault(() => ({ read: () => new Promise(() => {}) })),
  ],
  [
    'has rules for no topic',
    'says by its rules which topics are states, presence among them',
    withFault((log) => ({ rules: { ...log.rules, of: () => undefined, canBeState: () => false } })),
  ],
  [
    'ignores its topic rules',
    'says by its rules which topics are states, presence among them',
    ({ retention, now }) => memoryLog({ retention, now }),
  ],
  [
    'treats every pattern as one of states',
    'says by its rules which topics are states, presence among them',
    withFault((log) => ({ rules: { ...log.rules, canBeState: () => true } })),
  ],
  [
    'keeps to the rules it was opened with',
    'takes other bounds for a topic while it is open, unless others share it',
    withFault((log) => ({ rules: { ...log.rules, change: () => undefined } })),
  ],
  [
    'supersedes nothing',
    'keeps only the newest event of each key, and calls the others no loss',
    withoutStates((topic) => topic),
  ],
  [
    'supersedes by the key alone',
    'leaves events alone that have no key, or whose first topic isn’t a state',
    ({ topics, ...given }) =>
      memoryLog({ ...given, topics: [{ match: { pattern: '*' }, state: true }, ...topics] }),
  ],
  [
    'calls superseded events lost',
    'keeps only the newest event of each key, and calls the others no loss',
    withFault((log) => ({
      losses: (after, { matchers }) =>
        Promise.resolve(
          after < log.tail.head ? matchers.map((matcher) => ({ matcher, seq: log.tail.head, count: 1 })) : [],
        ),
    })),
  ],
  [
    'appends some events of a call that fails',
    'appends all events of a call or none',
    withFault((log) => appendingOneByOne(log)),
  ],
  [
    'remembers the ids of a call that failed',
    'appends all events of a call or none',
    withFault((log) => rememberingFailedIds(log)),
  ],
  [
    'forgets the events superseded before the append',
    'treats the ids of events superseded before the append as the newer event’s own',
    withFault(changing((event) => ({ ...event, supersededIds: [] }))),
  ],
  [
    'forgets the id of a superseded event',
    'knows the id of a superseded event for a while',
    withFault((log) => forgettingIds(log, 'one')),
  ],
  [
    'bounds no topic by itself',
    'bounds each topic separately by its rule, and leaves other topics alone',
    ({ topics, ...given }) =>
      memoryLog({ ...given, topics: topics.map(({ retention: _, ...rule }) => rule) }),
  ],
  [
    'bounds all topics of a rule together',
    'bounds each topic separately by its rule, and leaves other topics alone',
    ({ topics, ...given }) =>
      memoryLog({
        ...given,
        topics: topics.map((rule) => ({ ...rule, retention: { ...rule.retention, events: 1 } })),
      }),
  ],
  [
    'bounds topics by count alone',
    'bounds a topic by bytes and by age as well, even without appends',
    ({ topics, ...given }) =>
      memoryLog({
        ...given,
        topics: topics.map(({ retention, ...rule }) => ({
          ...rule,
          retention: { events: retention?.events ?? Infinity },
        })),
      }),
  ],
  [
    'calls the first loss of a topic its last',
    'counts losses, which don’t happen in the order of seqs',
    withFault((log) => ({
      losses: async (after, matchers) =>
        (await log.losses(after, matchers)).map((loss) => ({ ...loss, count: 1 })),
    })),
  ],
  [
    'reports losses for the first topic only',
    'reports a loss for each topic of an event',
    withFault((log) => ({
      losses: async (after, matchers) =>
        (await log.losses(after, matchers)).filter(({ matcher }) => matcher !== 'two' && matcher !== 'also'),
    })),
  ],
  [
    'reads an event for each of its topics that is asked for',
    'finds an event by each of its topics, once, by name and by pattern',
    withFault((log) => repeating(log)),
  ],
  [
    'shows readers what it is about to append',
    'shows no event to readers before the tail has it',
    withFault((log) => showingEarly(log)),
  ],
  [
    'loses what is appended while it is closed, having acknowledged it',
    'has pushed every event it acknowledges, even while it is being closed',
    withFault((log) => acknowledgingAfterClose(log)),
  ],
  [
    'takes the time of day from the machine',
    'reads back every field of an event',
    ({ now: _, ...given }) => memoryLog(given),
  ],
  [
    'lets retention take values',
    'keeps the newest value of each key, even beyond the bounds of retention',
    ({ topics, retention, now }) =>
      memoryLog({
        retention,
        now,
        topics: topics.map((rule) => ({
          ...rule,
          retention: { ...rule.retention, events: 3 },
          state: false,
        })),
      }),
  ],
  [
    'keeps deletions for good',
    'lets retention take deletions, and reports them as losses',
    withFault((log) => ({
      losses: async (after, matchers) =>
        (await log.losses(after, matchers)).filter(({ matcher }) => matcher !== 'state'),
    })),
  ],
  [
    'has an epoch that can’t stand in a cursor',
    'has an epoch that can stand in a cursor',
    withFault((log) => ({ tail: Object.create(log.tail, { epoch: { value: 'a b' } }) as EventLog['tail'] })),
  ],
  [
    'stops reading where an event is no longer there',
    'reads up to the head over seqs that are gone',
    withFault((log) => ({
      read: async (query) => {
        const page = await log.read(query);
        const [first] = page.entries;
        return first !== undefined && first.seq > query.after + 1 && query.snapshot !== true
          ? { entries: [], next: query.after }
          : page;
      },
    })),
  ],
  [
    'lets a newer value take older ones from topics that it is not on',
    'takes a superseded event only from the topics that the newer one is on',
    withFault(
      changing((event) =>
        event.key === undefined ? event : { ...event, topics: [event.topics[0], 'audit'] },
      ),
    ),
  ],
  [
    'forgets what is left of an event once it has trimmed the tail',
    'reports a loss if the rest of a superseded event is older than all retained events',
    withFault((log) => ({
      losses: async (after, matchers) =>
        (await log.losses(after, matchers)).filter(({ matcher }) => matcher !== 'audit'),
    })),
  ],
  [
    'lets a private value take the public one from everybody',
    'keeps a public value for readers who may not read the private one that supersedes it',
    withFault(changing((event) => ({ ...event, private: false }))),
  ],
  [
    'counts the window of a superseded event’s id from its own seq',
    'knows the id of a superseded event for 10,000 events from then on',
    withFault((log) => forgettingOldIds(log)),
  ],
  [
    'lets a topic have any number of keys',
    'bounds how many keys a topic has, and reports the lost ones',
    ({ topics, ...given }) => memoryLog({ ...given, topics: topics.map(({ keys: _, ...rule }) => rule) }),
  ],
  [
    'counts values as ordinary events',
    'counts neither values nor the hub’s own events against the log’s bounds',
    ({ topics, ...given }) => memoryLog({ ...given, topics: topics.map(({ state: _, ...rule }) => rule) }),
  ],
  [
    'counts the hub’s own events as a publisher’s',
    'counts neither values nor the hub’s own events against the log’s bounds',
    withFault(
      changing((event) => ({
        ...event,
        topics: event.topics[0].startsWith('presence/') ? ['x'] : event.topics,
      })),
    ),
  ],
  [
    'keeps what was appended while the clock was ahead',
    'keeps aging when the clock is set back',
    withFault((log) => ({ trim: (now) => (log.tail.head > 2 ? Promise.resolve() : log.trim(now)) })),
  ],
  [
    'reads newest first',
    'reads the same events as its tail',
    withFault((log) => ({
      read: async (query) => {
        const page = await log.read(query);
        return { ...page, entries: page.entries.toReversed() };
      },
    })),
  ],
  [
    'supersedes only what other calls appended',
    'supersedes within one call, too',
    withFault((log) => ({
      append: (events) =>
        log.append(
          events.map((event, i) => (event.key === undefined ? event : { ...event, key: `${event.key}${i}` })),
        ),
    })),
  ],
  [
    'takes all topics of a rule for one',
    'keeps the same key of two topics apart',
    withFault(
      changing((event) => (event.topics[0].startsWith('m/') ? { ...event, topics: ['m/1'] } : event)),
    ),
  ],
  [
    'forgets the id of a value that the tail no longer holds',
    'knows the id of a value for as long as it keeps the value',
    withFault((log) => forgettingBelowTail(log)),
  ],
  [
    'tells of the losses that there were when it was asked first',
    'gives a reader every event, or says that it is lost, however retention races with it',
    withFault((log) => {
      let first: ReturnType<EventLog['losses']> | undefined;
      return { losses: (after, matchers) => (first ??= log.losses(after, matchers)) };
    }),
  ],
  [
    'reads what the tail no longer has',
    'keeps only the newest event of each key, and calls the others no loss',
    withFault((log) => readingHistory(log)),
  ],
];

function changingSnapshots(log: EventLog, change: (page: Page) => Page): Partial<EventLog> {
  return {
    read: async (query) => {
      const page = await log.read(query);
      return query.snapshot === true ? change(page) : page;
    },
  };
}

/** A log whose rules declare states, but that keeps none. */
function withoutStates(name: (topic: string) => string): (options: OpenLogOptions) => EventLog {
  return ({ topics, ...given }) => {
    const log = memoryLog({ ...given, topics: topics.map(({ state: _, ...rule }) => rule) });
    const { rules } = memoryLog({ topics });
    return Object.create(log, {
      rules: { value: { of: (topic: string) => rules.of(name(topic)), canBeState: rules.canBeState } },
    }) as EventLog;
  };
}

function appendingOneByOne(log: EventLog): Partial<EventLog> {
  return {
    append: async (events) => {
      const appending = events.map((event) => log.append([event]));
      return (await Promise.all(appending)).flat();
    },
  };
}

function rememberingFailedIds(log: EventLog): Partial<EventLog> {
  const failed = new Set<string>();
  return {
    append: async (events) => {
      const { id } = events[0] ?? {};
      if (id !== undefined && failed.has(id)) return [{ seq: log.tail.head, duplicate: true }];
      return log.append(events).catch((error: unknown) => {
        if (id !== undefined) failed.add(id);
        throw error;
      });
    },
  };
}

/** Forgets this id once anything else was appended. */
function forgettingIds(log: EventLog, forgotten: string): Partial<EventLog> {
  let uses = 0;
  return {
    append: (events) =>
      log.append(
        events.map((event) =>
          event.id === forgotten && (uses += 1) > 1 ? { ...event, id: undefined } : event,
        ),
      ),
  };
}

function repeating(log: EventLog): Partial<EventLog> {
  return {
    read: async (query) => {
      const page = await log.read(query);
      const times = ({ topics }: { topics: readonly string[] }): number =>
        topics.filter((topic) => query.matchers.matchesTopic(topic)).length;
      return {
        ...page,
        entries: page.entries.flatMap((entry) => Array.from({ length: times(entry) }, () => entry)),
      };
    },
  };
}

function showingEarly(log: EventLog): Partial<EventLog> {
  let early = 0;
  return {
    append: async (events) => {
      early += events.length;
      await new Promise<void>((resolve) => void setImmediate(resolve));
      early -= events.length;
      return log.append(events);
    },
    read: async (query) => {
      const page = await log.read(query);
      return { ...page, next: page.next + early };
    },
  };
}

function acknowledgingAfterClose(log: EventLog): Partial<EventLog> {
  let closed = false;
  return {
    append: (events) => {
      if (!closed)
        return new Promise(
          (resolve) =>
            void setImmediate(() =>
              resolve(
                log.append(events).catch(() => events.map((_, i) => ({ seq: i + 1, duplicate: false }))),
              ),
            ),
        );
      return log.append(events);
    },
    close: () => {
      closed = true;
      return log.close();
    },
  };
}

/** Reads every event that was ever pushed, including trimmed and superseded ones. */
function readingHistory(log: EventLog): Partial<EventLog> {
  const history: LogEntry[] = [];
  log.tail.onPush((entries) => void history.push(...entries));
  return {
    read: async (query) => {
      const page = await log.read(query);
      if (query.snapshot === true) return page;
      return toPage(
        history.filter((entry) => entry.seq > query.after && query.wants(entry)),
        query.limit,
        log.tail.head,
      );
    },
  };
}

function forgettingBelowTail(log: EventLog): Partial<EventLog> {
  const seqs = new Map<string, number>();
  return {
    append: async (events) => {
      const isForgotten = (id: string | undefined): boolean =>
        id !== undefined && (seqs.get(id) ?? Infinity) <= log.tail.floor;
      const given = events.map((event) => (isForgotten(event.id) ? { ...event, id: undefined } : event));
      const appended = await log.append(given);
      for (const [i, { id }] of events.entries()) if (id !== undefined) seqs.set(id, appended[i]?.seq ?? 0);
      return appended;
    },
  };
}

/** Forgets an id 10,000 events after its own event. */
function forgettingOldIds(log: EventLog): Partial<EventLog> {
  const seqs = new Map<string, number>();
  return {
    append: async (events) => {
      const isOld = (id: string | undefined): boolean =>
        id !== undefined && (seqs.get(id) ?? Infinity) < log.tail.head - 10_000;
      const given = events.map((event) => (isOld(event.id) ? { ...event, id: undefined } : event));
      const appended = await log.append(given);
      for (const [i, { id }] of events.entries()) if (id !== undefined) seqs.set(id, appended[i]?.seq ?? 0);
      return appended;
    },
  };
}
