import assert from 'node:assert/strict';
import type { EventInput } from '../protocol/event.ts';
import type { TopicRule } from '../log/topic-rules.ts';
import { type ContractCase, oneLog } from './contract-case.ts';
import {
  append,
  appendMany,
  collect,
  dataAfter,
  dataOf,
  readAll,
  snapshotOf,
  tailAndLog,
} from './log-steps.ts';

const topics: readonly TopicRule[] = [
  { match: 'state', state: true },
  { match: { pattern: 'm/*' }, state: true },
];

const value = (key: string, data: unknown, more: Partial<EventInput> = {}): EventInput => ({
  topics: 'state',
  data,
  key,
  ...more,
});

/** Keys that expire, and events that are appended under a condition. */
export const keyCases: readonly ContractCase[] = [
  oneLog('deletes a key by a tombstone once its time to live has passed', { topics }, async (log, time) => {
    const start = log.tail.head;
    const pushed = collect(log);
    await append(log, value('k', 1, { ttl: 1000, topics: ['state', 'm/a'] }), value('stays', 2));
    assert.equal(log.nextExpiry, time.now + 1000);
    time.now += 999;
    await log.trim(time.now);
    assert.deepEqual(await snapshotOf(log), ['1', '2']);
    time.now += 1;
    await log.trim(time.now);
    await log.catchUp();
    assert.deepEqual(await snapshotOf(log), ['2']);
    assert.equal(log.nextExpiry, Infinity);
    for (const entries of [pushed, await readAll(log, start + 2)]) {
      const tombstone = entries.at(-1);
      assert.equal(tombstone?.seq, start + 3);
      assert.equal(tombstone?.tombstone, true);
      assert.equal(tombstone?.key, 'k');
      assert.deepEqual(tombstone?.topics, ['state', 'm/a']);
    }
    const [inTail, inLog] = await tailAndLog(log, start);
    assert.deepEqual(dataOf(inTail), dataOf(inLog));
  }),
  oneLog(
    'deletes keys in time after the clock was set back, without appends',
    { topics },
    async (log, time) => {
      await append(log, { topics: 'other', data: 0 });
      time.now -= 3_600_000;
      await append(log, value('k', 1, { ttl: 1000 }));
      time.now += 1000;
      await log.trim(time.now);
      await log.catchUp();
      assert.deepEqual(await snapshotOf(log), []);
      assert.equal(log.nextExpiry, Infinity);
    },
  ),
  oneLog('deletes expired keys before it appends anything newer', { topics }, async (log, time) => {
    const start = log.tail.head;
    await append(log, value('k', 1, { ttl: 10 }), value('later', 2, { ttl: 20 }));
    time.now += 15;
    const [later] = await append(log, { topics: 'other', data: 'newer' });
    assert.equal(later?.seq, start + 4);
    assert.deepEqual(await dataAfter(log, start), ['2', 'null', '"newer"']);
    assert.equal(log.nextExpiry, time.now + 5);
  }),
  oneLog('counts the time to live of a key’s newest value only', { topics }, async (log, time) => {
    const start = log.tail.head;
    await append(log, value('renewed', 1, { ttl: 10 }), value('kept', 1, { ttl: 10 }));
    await append(log, value('deleted', 1, { ttl: 10 }));
    time.now += 5;
    await append(log, value('renewed', 2, { ttl: 10 }), value('kept', 2));
    await append(log, value('deleted', 2, { tombstone: true }));
    time.now += 5;
    await append(log, { topics: 'other', data: 3 });
    assert.deepEqual(await dataAfter(log, start), ['2', '2', '2', '3']);
    assert.deepEqual(await snapshotOf(log), ['2', '2']);
    time.now += 5;
    await append(log, { topics: 'other', data: 4 });
    assert.deepEqual(await dataAfter(log, start), ['2', '2', '3', 'null', '4']);
    assert.equal(log.nextExpiry, Infinity);
  }),
  oneLog('deletes many keys that expire at once, in steps if need be', { topics }, async (log, time) => {
    const events = Array.from({ length: 2500 }, (_, i) => value(`k${i}`, i, { ttl: 10 }));
    await append(log, ...events);
    time.now += 10;
    for (let calls = 0; log.nextExpiry < Infinity; calls += 1) {
      assert.ok(calls < 100, 'a call must bring it forward');
      await append(log, { topics: 'other', data: calls });
    }
    assert.deepEqual(await snapshotOf(log), []);
  }),
  oneLog('deletes a key for everybody who could read one of its values', { topics }, async (log, time) => {
    const start = log.tail.head;
    await append(log, value('k', 'public'), value('k', 'secret', { private: true, ttl: 10 }));
    await append(log, value('own', 'secret', { private: true, ttl: 10 }));
    time.now += 10;
    await append(log, { topics: 'other', data: 1 });
    const deleted = (await readAll(log, start)).filter(({ tombstone }) => tombstone);
    assert.deepEqual(
      new Map(deleted.map(({ key, private: isPrivate }) => [key, isPrivate])),
      new Map([
        ['k', false],
        ['own', true],
      ]),
    );
    assert.deepEqual(await snapshotOf(log), []);
  }),
  oneLog(
    'appends an event under a condition only if its key’s value is the one expected',
    { topics },
    async (log) => {
      const start = log.tail.head;
      const [first] = await append(log, value('k', 1, { ifAbsent: true }));
      await refuses(append(log, value('k', 'again', { ifAbsent: true })), start + 1);
      await refuses(append(log, value('k', 'other', { ifSeq: start + 7 })), start + 1);
      await refuses(append(log, value('never', 'x', { ifSeq: start + 1 })), 0);
      const [second] = await append(log, value('k', 2, { ifSeq: first?.seq ?? 0 }));
      await refuses(append(log, value('k', 'late', { ifSeq: first?.seq ?? 0 })), second?.seq ?? 0);
      await append(log, value('k', 'gone', { tombstone: true, ifSeq: second?.seq ?? 0 }));
      await refuses(append(log, value('k', 'late', { ifSeq: log.tail.head })), 0);
      await append(log, value('k', 3, { ifAbsent: true }));
      assert.deepEqual(await dataAfter(log, start), ['3']);
      assert.equal(log.tail.head, start + 4);
    },
  ),
  oneLog(
    'appends nothing of a call with a condition that fails, and all of other calls',
    { topics },
    async (log) => {
      const start = log.tail.head;
      await append(log, value('k', 1));
      const calls = [
        append(log, { topics: 'a', data: 1 }),
        append(log, { topics: 'a', data: 'no' }, value('k', 'no', { ifAbsent: true }), {
          topics: 'a',
          data: 'no',
        }),
        append(log, { topics: 'a', data: 2 }),
        // Judged before the call's first event is appended.
        append(log, value('n', 3, { ifAbsent: true }), value('n', 4, { ifAbsent: true })),
        append(log, value('k', 'no'), value('k', 'no', { ifSeq: start + 1000 })),
        append(log, value('k', 'no'), value('k', 'no', { ifAbsent: true })),
        append(log, value('m', 'no'), value('m', 'no', { ifSeq: start + 1000 })),
        append(log, { topics: 'a', data: 5 }),
      ] as const;
      const results = await Promise.allSettled(calls);
      assert.deepEqual(
        results.map(({ status }) => status),
        [
          ...['fulfilled', 'rejected', 'fulfilled', 'fulfilled'],
          ...['rejected', 'rejected', 'rejected', 'fulfilled'],
        ],
      );
      for (const refused of [calls[1], calls[4], calls[5]]) await refuses(refused, start + 1);
      await refuses(calls[6], 0);
      assert.deepEqual(await dataAfter(log, start), ['1', '1', '2', '4', '5']);
      assert.equal(log.tail.head, start + 6);
    },
  ),
  oneLog('takes an expired key for one without a value', { topics }, async (log, time) => {
    const [first] = await append(log, value('k', 1, { ttl: 10 }));
    time.now += 9;
    await refuses(append(log, value('k', 2, { ifAbsent: true })), first?.seq ?? 0);
    time.now += 1;
    await refuses(append(log, value('k', 2, { ifSeq: first?.seq ?? 0 })), 0);
    await append(log, value('k', 3, { ifAbsent: true }));
    assert.deepEqual(await snapshotOf(log), ['3']);
  }),
  oneLog('answers an event under a condition that it has already as a duplicate', { topics }, async (log) => {
    const [first] = await append(log, value('k', 1, { ifAbsent: true, id: 'x' }));
    assert.deepEqual(await append(log, value('k', 1, { ifAbsent: true, id: 'x' })), [
      { seq: first?.seq, duplicate: true },
    ]);
    await appendMany(log, 'other', 1);
    await refuses(append(log, value('k', 1, { ifAbsent: true, id: 'y' })), first?.seq ?? 0);
    await append(log, value('k', 2, { id: 'y' }));
  }),
];

export async function refuses(appending: Promise<unknown>, seq: number): Promise<void> {
  const error = await appending.then(
    () => assert.fail('the condition was ignored'),
    (reason: unknown) => reason as { readonly code?: string; readonly details?: { readonly seq?: number } },
  );
  assert.equal(error.code, 'event/conflict');
  assert.equal(error.details?.seq, seq);
}
