/** Logs that are deliberately broken, each in one way. */
import type { EventLog } from '../../src/log/event-log.ts';
import { memoryLog } from '../../src/logs/memory/index.ts';
import type { NewEvent } from '../../src/protocol/event.ts';
import type { OpenLogOptions } from '../../src/testing/contract-case.ts';

/** A memory log with one fault. Getters stay as they are unless they are replaced. */
type Fault = (log: EventLog, options: OpenLogOptions) => Partial<EventLog>;

export function withFault(fault: Fault): (options: OpenLogOptions) => EventLog {
  return (options) => {
    const log = memoryLog(options);
    const faulty = Object.create(log) as EventLog;
    for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(fault(log, options)))) {
      Object.defineProperty(faulty, name, property);
    }
    return faulty;
  };
}

export function changing(change: (event: NewEvent) => NewEvent): Fault {
  return (log) => ({ append: (events) => log.append(events.map(change)) });
}

function forgettingRetention(forget: 'events' | 'bytes' | 'age'): (options: OpenLogOptions) => EventLog {
  return ({ retention, ...given }) => {
    const { [forget]: _, ...rest } = retention;
    return memoryLog({ ...given, retention: { events: Infinity, bytes: Infinity, ...rest } });
  };
}

const plain = { type: undefined, id: undefined, key: undefined, tombstone: false, private: false };

/** A fault of an engine, the case that has to notice it, and a log with that fault. */
export type BrokenLog = readonly [
  does: string,
  caughtBy: string,
  open: (options: OpenLogOptions) => EventLog,
];

export const brokenLogs: readonly (readonly [
  does: string,
  caughtBy: string,
  open: (options: OpenLogOptions) => EventLog,
])[] = [
  [
    'leaves a seq out now and then',
    'reads up to the head over seqs that are gone',
    withFault((log) => ({
      append: async (events) => {
        const appended = await log.append(events);
        if (log.tail.head % 7 === 0) await log.append([{ ...plain, topics: ['hole'], data: '' }]);
        return appended;
      },
    })),
  ],
  [
    'appends a call’s events backwards',
    'reads back every field of an event',
    withFault((log) => ({ append: (events) => log.append(events.toReversed()) })),
  ],
  [
    'lets one call’s events come between another’s',
    'gives consecutive seqs in the order of append calls',
    withFault((log) => ({
      append: async (events) => {
        const appended = [];
        for (const event of events) appended.push(...(await log.append([event])));
        return appended;
      },
    })),
  ],
  [
    'resolves before the tail has the event',
    'pushes to the tail in seq order before append resolves',
    withFault((log) => ({
      append: (events) => {
        const first = log.tail.head + 1;
        setImmediate(() => void log.append(events).catch(() => []));
        return Promise.resolve(events.map((_, i) => ({ seq: first + i, duplicate: false })));
      },
    })),
  ],
  [
    'keeps the canonical topic only',
    'finds an event by each of its topics, once, by name and by pattern',
    withFault(changing((event) => ({ ...event, topics: [event.topics[0]] }))),
  ],
  [
    'drops the type',
    'reads back every field of an event',
    withFault(changing((event) => ({ ...event, type: undefined }))),
  ],
  [
    'drops the id',
    'reads back every field of an event',
    withFault(changing((event) => ({ ...event, id: undefined }))),
  ],
  [
    'drops the key',
    'reads back every field of an event',
    withFault(changing((event) => ({ ...event, key: undefined }))),
  ],
  [
    'makes private events public',
    'reads back every field of an event',
    withFault(changing((event) => ({ ...event, private: false }))),
  ],
  [
    'makes public events private',
    'reads back every field of an event',
    withFault(changing((event) => ({ ...event, private: true }))),
  ],
  [
    'normalizes line ends',
    'reads back every field of an event',
    withFault(changing((event) => ({ ...event, data: event.data.replaceAll('\n', ' ') }))),
  ],
  [
    'cuts characters beyond the first plane',
    'reads back every field of an event',
    withFault(
      changing((event) => ({ ...event, data: event.data.replaceAll(/[\u{10000}-\u{10ffff}]/gu, '?') })),
    ),
  ],
  [
    'gives events that are not wanted',
    'reads only wanted events after a cursor, in pages that a reader can go on from',
    withFault((log) => ({ read: (query) => log.read({ ...query, wants: () => true }) })),
  ],
  [
    'gives the event at the cursor again',
    'reads only wanted events after a cursor, in pages that a reader can go on from',
    withFault((log) => ({ read: (query) => log.read({ ...query, after: Math.max(0, query.after - 1) }) })),
  ],
  [
    'ignores how many events a page may have',
    'reads only wanted events after a cursor, in pages that a reader can go on from',
    withFault((log) => ({
      read: (query) => log.read({ ...query, limit: { ...query.limit, events: Infinity } }),
    })),
  ],
  [
    'ignores how long a page may be',
    'stops a page at its length, but gives at least one event',
    withFault((log) => ({
      read: (query) => log.read({ ...query, limit: { ...query.limit, length: Infinity } }),
    })),
  ],
  [
    'gives no event if the first is longer than a page',
    'stops a page at its length, but gives at least one event',
    withFault((log) => ({
      read: async (query) => {
        const page = await log.read(query);
        const isLong = (page.entries[0]?.data.length ?? 0) > query.limit.length;
        return isLong ? { entries: [], next: query.after } : page;
      },
    })),
  ],
  [
    'says that it looked further than it did',
    'stops a page at its length, but gives at least one event',
    withFault((log) => ({ read: async (query) => ({ ...(await log.read(query)), next: log.tail.head }) })),
  ],
  [
    'says that it looked no further than the last event found',
    'reads only wanted events after a cursor, in pages that a reader can go on from',
    withFault((log) => ({
      read: async (query) => {
        const page = await log.read(query);
        return { ...page, next: page.entries.at(-1)?.seq ?? query.after };
      },
    })),
  ],
  [
    'ignores how many events a page may look at',
    'looks at no more events for a page than its limit allows',
    withFault((log) => ({
      read: (query) => log.read({ ...query, limit: { ...query.limit, looks: Infinity } }),
    })),
  ],
  [
    'ignores how many events a page may look at, backwards only',
    'looks at no more events for a page than its limit allows',
    withFault((log) => ({
      read: (query) => {
        if (query.before === undefined) return log.read(query);
        return log.read({ ...query, limit: { ...query.limit, looks: Infinity } });
      },
    })),
  ],
  [
    'skips what it did not look at',
    'looks at no more events for a page than its limit allows',
    withFault((log) => ({
      read: async (query) => {
        const page = await log.read(query);
        return page.entries.length === 0 && query.before === undefined
          ? { ...page, next: log.tail.head }
          : page;
      },
    })),
  ],
  [
    'always reads forwards',
    'reads backwards the same events as forwards, newest first',
    withFault((log) => ({ read: ({ before: _, ...query }) => log.read(query) })),
  ],
  [
    'begins each page backwards at the head',
    'reads backwards the same events as forwards, newest first',
    withFault((log) => ({
      read: (query) => log.read(query.before === undefined ? query : { ...query, before: log.tail.head + 1 }),
    })),
  ],
  [
    'gives the event that a page backwards begins at',
    'reads backwards the same events as forwards, newest first',
    withFault((log) => ({
      read: (query) => log.read(query.before === undefined ? query : { ...query, before: query.before + 1 }),
    })),
  ],
  [
    'ends a page backwards too early',
    'reads backwards the same events as forwards, newest first',
    withFault((log) => ({
      read: async (query) => {
        const page = await log.read(query);
        return query.before === undefined ? page : { ...page, next: query.after + 1 };
      },
    })),
  ],
  [
    'reads backwards only what its tail has',
    'reads backwards over seqs that are gone, down to values older than retention',
    withFault((log) => ({
      read: async (query) => {
        const page = await log.read(query);
        const isBelow = query.before !== undefined && page.next <= log.tail.floor + 1;
        return isBelow ? { ...page, next: query.after + 1 } : page;
      },
    })),
  ],
  [
    'knows no ids',
    'appends an event of a known id once and gives the first one’s seq',
    withFault((log) => ({
      append: (events) => log.append(events.map((event) => ({ ...event, id: undefined }))),
    })),
  ],
  [
    'answers a duplicate with the head',
    'appends an event of a known id once and gives the first one’s seq',
    withFault((log) => ({
      append: async (events) => {
        const appended = await log.append(events);
        return appended.map((each) => (each.duplicate ? { ...each, seq: log.tail.head + 1 } : each));
      },
    })),
  ],
  [
    'remembers an id for ever',
    'forgets an id together with its event',
    withFault((log) => rememberingIds(log)),
  ],
  [
    'does not report duplicates',
    'appends an event of a known id once and gives the first one’s seq',
    withFault((log) => ({
      append: async (events) => (await log.append(events)).map(({ seq }) => ({ seq, duplicate: false })),
    })),
  ],
  [
    'does not trim by count',
    'keeps as many events as retention allows, and names the topics that lost some',
    forgettingRetention('events'),
  ],
  ['does not trim by bytes', 'keeps no more bytes than retention allows', forgettingRetention('bytes')],
  [
    'does not trim by age',
    'keeps no event older than retention allows, even without appends',
    forgettingRetention('age'),
  ],
  [
    'trims by age only on appends',
    'keeps no event older than retention allows, even without appends',
    withFault(() => ({ trim: () => Promise.resolve() })),
  ],
  [
    'reports no losses',
    'keeps as many events as retention allows, and names the topics that lost some',
    withFault(() => ({ losses: () => Promise.resolve([]) })),
  ],
  [
    'reports no losses to patterns',
    'keeps as many events as retention allows, and names the topics that lost some',
    withFault((log) => ({
      losses: async (after, matchers) =>
        (await log.losses(after, matchers)).filter(({ matcher }) => typeof matcher === 'string'),
    })),
  ],
  [
    'reports losses for topics that lost nothing',
    'keeps as many events as retention allows, and names the topics that lost some',
    withFault((log) => ({
      losses: (_, { matchers }) =>
        Promise.resolve(matchers.map((matcher) => ({ matcher, seq: log.tail.head, count: 1 }))),
    })),
  ],
  [
    'reports losses before the cursor',
    'keeps as many events as retention allows, and names the topics that lost some',
    withFault((log) => ({ losses: (_, matchers) => log.losses(0, matchers) })),
  ],
  [
    'tells everybody of private losses',
    'tells those who may read only public events of no private one that is lost, by topic or pattern',
    withFault((log) => ({ losses: (after, matchers) => log.losses(after, matchers) })),
  ],
  [
    'tells of private losses by patterns',
    'tells those who may read only public events of no private one that is lost, by topic or pattern',
    withFault((log) => ({
      losses: async (after, matchers, publicOnly) => {
        const patterns = (await log.losses(after, matchers)).filter(
          ({ matcher }) => typeof matcher !== 'string',
        );
        const topics = await log.losses(after, matchers, publicOnly);
        return [...topics.filter(({ matcher }) => typeof matcher === 'string'), ...patterns];
      },
    })),
  ],
  [
    'tells nobody of private losses',
    'tells those who may read only public events of no private one that is lost, by topic or pattern',
    withFault((log) => ({ losses: (after, matchers) => log.losses(after, matchers, true) })),
  ],
  [
    'takes each pattern to have lost something, once many topics have',
    'knows what topics have lost, however many tags went with their events',
    withFault((log) => ({
      losses: async (after, matchers, publicOnly) => {
        const losses = await log.losses(after, matchers, publicOnly);
        if (log.newestLoss < 600) return losses;
        const others = matchers.patterns.map(({ pattern }) => ({
          matcher: { pattern },
          seq: log.newestLoss,
          count: 1,
        }));
        return [...losses.filter(({ matcher }) => typeof matcher === 'string'), ...others];
      },
    })),
  ],
  [
    'counts losses of public and private events together',
    'counts losses of public events apart: a private one brings those who may not read it no second gap',
    withFault((log) => ({
      losses: async (after, matchers, publicOnly) => {
        const all = await log.losses(after, matchers);
        const own = await log.losses(after, matchers, publicOnly);
        return own.map((loss) => ({ ...loss, count: Math.max(...all.map(({ count }) => count)) }));
      },
    })),
  ],
  [
    'says that nothing could be lost',
    'keeps as many events as retention allows, and names the topics that lost some',
    withFault(() => ({ newestLoss: 0 })),
  ],
  [
    'lets readers begin below its oldest event',
    'keeps as many events as retention allows, and names the topics that lost some',
    withFault(() => ({ floor: 0 })),
  ],
  [
    'appends after it was closed',
    'refuses to append and to read once it is closed, and can be closed twice',
    withFault((log) => ({ close: () => (log.tail, Promise.resolve()) })),
  ],
  [
    'can be closed only once',
    'refuses to append and to read once it is closed, and can be closed twice',
    withFault((log) => closingOnce(log)),
  ],
];

function rememberingIds(log: EventLog): Partial<EventLog> {
  const seqs = new Map<string, number>();
  return {
    append: async (events) => {
      const [event] = events;
      const known = event?.id === undefined ? undefined : seqs.get(event.id);
      if (known !== undefined && events.length === 1) return [{ seq: known, duplicate: true }];
      const appended = await log.append(events);
      for (const [i, { id }] of events.entries()) if (id !== undefined) seqs.set(id, appended[i]?.seq ?? 0);
      return appended;
    },
  };
}

function closingOnce(log: EventLog): Partial<EventLog> {
  let closed = false;
  return {
    close: () => {
      if (closed) return Promise.reject(new Error('closed'));
      closed = true;
      return log.close();
    },
  };
}
