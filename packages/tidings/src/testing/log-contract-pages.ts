import assert from 'node:assert/strict';
import type { LogEntry } from '../log/entry.ts';
import type { EventLog } from '../log/event-log.ts';
import type { Matcher } from '../protocol/matcher.ts';
import { createMatcherSet } from '../protocol/matcher-set.ts';
import { type ContractCase, oneLog } from './contract-case.ts';
import { ALL, append, appendMany, dataOf, readAll, readAllBack } from './log-steps.ts';

/** A log's duties in reading page by page: backwards, and within a budget of looks. */
export const pageCases: readonly ContractCase[] = [
  oneLog('reads backwards the same events as forwards, newest first', {}, async (log) => {
    const start = log.tail.head;
    for (let i = 0; i < 60; i += 1)
      await append(log, { topics: i % 7 === 0 ? ['rare', 'busy/1'] : `busy/${i % 3}`, data: i });
    for (const topics of [[ALL], ['rare'], ['busy/1', 'rare'], [{ pattern: 'busy/*' }], ['none']]) {
      for (const after of [start, start + 25, log.tail.head - 1]) {
        const expected = dataOf(await readAll(log, after, topics)).reverse();
        for (const events of [1, 4, 1000])
          assert.deepEqual(dataOf(await readAllBack(log, after, topics, { events, length: 1e9 })), expected);
        const short = { events: 1000, length: 3 };
        assert.deepEqual(dataOf(await readAllBack(log, after, topics, short)), expected);
      }
    }
  }),
  oneLog(
    'reads backwards over seqs that are gone, down to values older than retention',
    {
      retention: { events: 5 },
      topics: [
        { match: 'state', state: true },
        { match: 'none', retention: { events: 0 } },
      ],
    },
    async (log) => {
      const start = log.tail.head;
      for (const key of ['a', 'b', 'a', 'c'])
        await append(log, { topics: 'state', data: key, key }, { topics: 'none', data: 0 });
      await appendMany(log, 'steady', 12);
      await append(log, { topics: 'state', data: 'new c', key: 'c' });
      const expected = ['"b"', '"a"', '7', '8', '9', '10', '11', '"new c"'];
      assert.deepEqual(dataOf(await readAll(log, start)), expected);
      for (const events of [1, 1000])
        assert.deepEqual(
          dataOf(await readAllBack(log, start, [ALL], { events, length: 1e9 })).reverse(),
          expected,
        );
    },
  ),
  oneLog('looks at no more events for a page than its limit allows', {}, async (log) => {
    const start = log.tail.head;
    for (let i = 0; i < 60; i += 1)
      await append(log, { topics: i % 20 === 7 ? 'rare' : `busy/${i % 30}`, data: i });
    for (const topics of [[ALL], ['rare'], [{ pattern: '*re' }], [{ pattern: 'busy/*' }, 'rare']]) {
      const expected = dataOf(await readAll(log, start, topics));
      for (const looks of [1, 5]) {
        assert.deepEqual(await readWithin(log, looks, { start, topics }), expected);
        assert.deepEqual(await readBackWithin(log, looks, { start, topics }), expected.toReversed());
      }
    }
  }),
  oneLog(
    'looks at no more values for a page of a snapshot than its limit allows',
    { topics: [{ match: { pattern: 'load/*' }, state: true }] },
    async (log) => {
      for (let i = 0; i < 40; i += 1)
        await append(log, { topics: `load/${i % 4}`, data: i, key: `k${i % 20}` });
      for (const topics of [[ALL], ['load/1'], [{ pattern: 'load/*' }], [{ pattern: '*/3' }]]) {
        const expected = dataOf(await readAll(log, 0, topics, undefined, true));
        for (const looks of [1, 5])
          assert.deepEqual(await readWithin(log, looks, { start: 0, topics, snapshot: true }), expected);
      }
    },
  ),
];

interface Search {
  readonly start: number;
  readonly topics: readonly Matcher[];
  readonly snapshot?: boolean;
}

/** The data of all pages, none of which may look at more events than `looks`. */
async function readWithin(log: EventLog, looks: number, search: Search): Promise<string[]> {
  const { start, topics, snapshot = false } = search;
  const counted = counting(topics);
  const limit = { events: 1000, length: 1e9, looks };
  const data: string[] = [];
  for (let after = start; after < log.tail.head;) {
    const page = await counted.within(looks, (query) => log.read({ ...query, after, limit, snapshot }));
    assert.ok(page.next > after, 'a page must bring the reader forward');
    data.push(...dataOf(page.entries));
    after = page.next;
  }
  return data;
}

async function readBackWithin(log: EventLog, looks: number, { start, topics }: Search): Promise<string[]> {
  const counted = counting(topics);
  const limit = { events: 1000, length: 1e9, looks };
  const data: string[] = [];
  for (let before = log.tail.head + 1; before > start + 1;) {
    const page = await counted.within(looks, (query) => log.read({ ...query, after: start, before, limit }));
    assert.ok(page.next < before, 'a page must bring the reader further back');
    data.push(...dataOf(page.entries));
    before = page.next;
  }
  return data;
}

interface Counted {
  readonly matchers: ReturnType<typeof createMatcherSet>;
  readonly wants: (entry: LogEntry) => boolean;
}

/** Counts the events that a read asks about. */
function counting(topics: readonly Matcher[]): {
  within<T>(looks: number, read: (query: Counted) => Promise<T>): Promise<T>;
} {
  const matchers = createMatcherSet(topics);
  let looked = 0;
  const wants = (entry: LogEntry): boolean => {
    looked += 1;
    return matchers.matches(entry.topics);
  };
  return {
    async within(looks, read) {
      looked = 0;
      const page = await read({ matchers, wants });
      assert.ok(looked <= looks, `looked at ${looked} events for a page that allows ${looks}`);
      return page;
    },
  };
}
