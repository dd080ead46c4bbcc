import { AssertionError } from 'node:assert/strict';
import { describe, expect, test } from 'vitest';
import type { EventLog } from '../log/event-log.ts';
import { memoryLog } from '../logs/memory/index.ts';
import type { NewEvent } from '../protocol/event.ts';
import { type OpenLogOptions, logContract } from './log-contract.ts';

/** A memory log with one fault. Getters stay as they are unless they are replaced. */
type Fault = (log: EventLog, options: OpenLogOptions) => Partial<EventLog>;

function withFault(fault: Fault): (options: OpenLogOptions) => EventLog {
  return (options) => {
    const log = memoryLog(options);
    const faulty = Object.create(log) as EventLog;
    for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(fault(log, options)))) {
      Object.defineProperty(faulty, name, property);
    }
    return faulty;
  };
}

function changing(change: (event: NewEvent) => NewEvent): Fault {
  return (log) => ({ append: (events) => log.append(events.map(change)) });
}

function forgettingRetention(forget: 'events' | 'bytes' | 'age'): (options: OpenLogOptions) => EventLog {
  return ({ retention, now }) => {
    const { [forget]: _, ...rest } = retention;
    return memoryLog({ retention: { events: Infinity, bytes: Infinity, ...rest }, now });
  };
}

const plain = { type: undefined, id: undefined, key: undefined, tombstone: false, private: false };

/** What an engine could get wrong, and how. */
const faults: readonly (readonly [string, (options: OpenLogOptions) => EventLog])[] = [
  [
    'leaves a seq out now and then',
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
    withFault((log) => ({ append: (events) => log.append(events.toReversed()) })),
  ],
  [
    'lets one call’s events come between another’s',
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
    withFault(changing((event) => ({ ...event, topics: [event.topics[0]] }))),
  ],
  ['drops the type', withFault(changing((event) => ({ ...event, type: undefined })))],
  ['drops the id', withFault(changing((event) => ({ ...event, id: undefined })))],
  ['drops the key', withFault(changing((event) => ({ ...event, key: undefined })))],
  ['makes private events public', withFault(changing((event) => ({ ...event, private: false })))],
  ['makes public events private', withFault(changing((event) => ({ ...event, private: true })))],
  [
    'normalizes line ends',
    withFault(changing((event) => ({ ...event, data: event.data.replaceAll('\n', ' ') }))),
  ],
  [
    'cuts characters beyond the first plane',
    withFault(
      changing((event) => ({ ...event, data: event.data.replaceAll(/[\u{10000}-\u{10ffff}]/gu, '?') })),
    ),
  ],
  [
    'gives what is not wanted',
    withFault((log) => ({ read: (query) => log.read({ ...query, wants: () => true }) })),
  ],
  [
    'gives the event at the cursor again',
    withFault((log) => ({ read: (query) => log.read({ ...query, after: Math.max(0, query.after - 1) }) })),
  ],
  [
    'ignores how many events a page may have',
    withFault((log) => ({
      read: (query) => log.read({ ...query, limit: { ...query.limit, events: Infinity } }),
    })),
  ],
  [
    'ignores how long a page may be',
    withFault((log) => ({
      read: (query) => log.read({ ...query, limit: { ...query.limit, length: Infinity } }),
    })),
  ],
  [
    'gives no event if the first is longer than a page',
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
    withFault((log) => ({ read: async (query) => ({ ...(await log.read(query)), next: log.tail.head }) })),
  ],
  [
    'says that it looked no further than the last event found',
    withFault((log) => ({
      read: async (query) => {
        const page = await log.read(query);
        return { ...page, next: page.entries.at(-1)?.seq ?? query.after };
      },
    })),
  ],
  [
    'knows no ids',
    withFault((log) => ({
      append: (events) => log.append(events.map((event) => ({ ...event, id: undefined }))),
    })),
  ],
  [
    'answers a duplicate with the head',
    withFault((log) => ({
      append: async (events) => {
        const appended = await log.append(events);
        return appended.map((each) => (each.duplicate ? { ...each, seq: log.tail.head + 1 } : each));
      },
    })),
  ],
  ['remembers an id for ever', withFault((log) => rememberingIds(log))],
  [
    'forgets to tell of duplicates',
    withFault((log) => ({
      append: async (events) => (await log.append(events)).map(({ seq }) => ({ seq, duplicate: false })),
    })),
  ],
  ['does not trim by count', forgettingRetention('events')],
  ['does not trim by bytes', forgettingRetention('bytes')],
  ['does not trim by age', forgettingRetention('age')],
  ['trims by age only when something is appended', withFault(() => ({ trim: () => Promise.resolve() }))],
  ['tells of no losses', withFault(() => ({ losses: () => Promise.resolve([]) }))],
  [
    'tells of no losses to patterns',
    withFault((log) => ({
      losses: async (after, matchers) =>
        (await log.losses(after, matchers)).filter(({ matcher }) => typeof matcher === 'string'),
    })),
  ],
  [
    'tells everybody of losses whatever they ask for',
    withFault((log) => ({
      losses: (_, { matchers }) =>
        Promise.resolve(matchers.map((matcher) => ({ matcher, seq: log.tail.head, count: 1 }))),
    })),
  ],
  [
    'tells of losses before the cursor',
    withFault((log) => ({ losses: (_, matchers) => log.losses(0, matchers) })),
  ],
  ['has nothing that it could have lost', withFault(() => ({ newestLoss: 0 }))],
  ['lets readers begin below what it has', withFault(() => ({ floor: 0 }))],
  ['appends after it was closed', withFault((log) => ({ close: () => (log.tail, Promise.resolve()) }))],
  ['can be closed once only', withFault((log) => closingOnce(log))],
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

describe('the contract of logs', () => {
  test.each(faults)('notices a log that %s', async (_, open) => {
    const caught: unknown[] = [];
    for (const { run } of logContract) await run(open).catch((error: unknown) => caught.push(error));
    expect(caught.length).toBeGreaterThan(0);
  });

  test('says what is wrong with an AssertionError', async () => {
    const open = withFault(() => ({ losses: () => Promise.resolve([]) }));
    const caught: unknown[] = [];
    for (const { run } of logContract) await run(open).catch((error: unknown) => caught.push(error));
    expect(caught.every((error) => error instanceof AssertionError)).toBe(true);
  });

  test('has a sentence of its own for each duty', () => {
    const names = logContract.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });
});
