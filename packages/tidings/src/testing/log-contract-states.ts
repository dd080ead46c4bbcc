import assert from 'node:assert/strict';
import type { NewEvent } from '../protocol/event.ts';
import { createMatcherSet } from '../protocol/matcher-set.ts';
import type { TopicRule } from '../log/topic-rules.ts';
import { type ContractCase, oneLog } from './contract-case.ts';
import {
  append,
  appendMany,
  dataAfter,
  dataOf,
  lost,
  read,
  readAll,
  snapshotOf,
  tailAndLog,
} from './log-steps.ts';

const topics: readonly TopicRule[] = [
  { match: 'state', state: true },
  { match: { pattern: 'm/*' }, state: true },
];

/** A log's duties for state topics. */
export const stateCases: readonly ContractCase[] = [
  oneLog('says by its rules which topics are states, presence among them', { topics }, (log) => {
    const { rules } = log;
    assert.equal(rules.of('state')?.state, true);
    assert.equal(rules.of('m/1')?.state, true);
    assert.notEqual(rules.of('other')?.state, true);
    assert.equal(rules.of('presence/x')?.state, true);
    assert.equal(rules.canBeState(createMatcherSet(['other', 'state'])), true);
    assert.equal(rules.canBeState(createMatcherSet([{ pattern: 'm/:id' }])), true);
    assert.equal(rules.canBeState(createMatcherSet(['other', { pattern: 'n/*' }])), false);
    return Promise.resolve();
  }),
  oneLog('keeps only the newest event of each key, and calls the others no loss', { topics }, async (log) => {
    const start = log.tail.head;
    for (const [key, data] of [
      ['a', 1],
      ['b', 2],
      ['a', 3],
      ['a', 4],
    ] as const)
      await append(log, { topics: 'state', data, key });
    assert.deepEqual(await dataAfter(log, start), ['2', '4']);
    const [inTail, inLog] = await tailAndLog(log, start);
    assert.deepEqual(dataOf(inTail), dataOf(inLog));
    assert.equal(log.tail.head, start + 4);
    assert.deepEqual(await lost(log, start, ['state']), []);
    assert.ok(log.newestLoss <= start);
  }),
  oneLog('supersedes within one call, too', { topics }, async (log) => {
    const start = log.tail.head;
    const events = [1, 2, 3].map((data) => ({ topics: 'state', data, key: 'k' }));
    await append(log, ...events, { topics: 'state', data: 4, key: 'other' });
    assert.deepEqual(await dataAfter(log, start), ['3', '4']);
    assert.deepEqual(await snapshotOf(log, ['state']), ['3', '4']);
  }),
  oneLog(
    'leaves events alone that have no key, or whose first topic isn’t a state',
    { topics },
    async (log) => {
      const start = log.tail.head;
      for (let i = 0; i < 2; i += 1) {
        await append(log, { topics: 'state', data: `keyless ${i}` });
        await append(log, { topics: ['other', 'state'], data: `other ${i}`, key: 'k' });
      }
      assert.equal((await dataAfter(log, start)).length, 4);
      assert.deepEqual(await snapshotOf(log, ['state']), []);
    },
  ),
  oneLog('keeps the same key of two topics apart', { topics }, async (log) => {
    await append(log, { topics: 'm/1', data: 1, key: 'k' }, { topics: 'm/2', data: 2, key: 'k' });
    await append(log, { topics: 'm/1', data: 3, key: 'k' });
    assert.deepEqual(await snapshotOf(log, [{ pattern: 'm/*' }]), ['2', '3']);
  }),
  oneLog('gives in a snapshot the values of the wanted topics, in seq order', { topics }, async (log) => {
    for (const [topic, key, data] of [
      ['m/2', 'a', 1],
      ['m/1', 'a', 2],
      ['m/1', 'b', 3],
      ['m/2', 'a', 4],
    ] as const)
      await append(log, { topics: topic, data, key });
    await append(log, { topics: 'm/1', data: 'no value' }, { topics: 'other', data: 'no state', key: 'k' });
    assert.deepEqual(await snapshotOf(log), ['2', '3', '4']);
    assert.deepEqual(await snapshotOf(log, ['m/1']), ['2', '3']);
    assert.deepEqual(await snapshotOf(log, ['m/2', 'other']), ['4']);
    assert.deepEqual(await snapshotOf(log, [{ pattern: 'm/:id' }]), ['2', '3', '4']);
    const matchers = createMatcherSet(['m/1']);
    const limit = { events: 10, length: 1e6 };
    const picky = await log.read({
      after: 0,
      matchers,
      wants: ({ data }) => data === '3',
      limit,
      snapshot: true,
    });
    assert.deepEqual(dataOf(picky.entries), ['3']);
  }),
  oneLog('finds values in a snapshot by their second topic, too', { topics }, async (log) => {
    await append(log, { topics: ['m/a', 'm/b', 'plain'], data: 1, key: 'k' });
    await append(log, { topics: ['state', 'm/c'], data: 2, key: 'k' });
    for (const wanted of ['m/b', 'plain']) assert.deepEqual(await snapshotOf(log, [wanted]), ['1']);
    assert.deepEqual(await snapshotOf(log, [{ pattern: '*/c' }]), ['2']);
    assert.deepEqual(await snapshotOf(log, ['m/a', 'm/b', { pattern: 'm/*' }]), ['1', '2']);
  }),
  oneLog('gives a snapshot in pages that stays consistent while values change', { topics }, async (log) => {
    for (let i = 0; i < 10; i += 1) await append(log, { topics: 'state', data: i, key: `k${i}` });
    const until = log.tail.head;
    const limit = { events: 3, length: 1e6 };
    const first = await read(log, 0, ['state'], limit, true);
    assert.deepEqual(dataOf(first.entries), ['0', '1', '2']);
    assert.equal(first.next, first.entries.at(-1)?.seq);
    await append(
      log,
      { topics: 'state', data: 'new', key: 'k1' },
      { topics: 'state', data: 'new', key: 'k5' },
    );
    const rest = await readAll(log, first.next, ['state'], limit, true);
    const old = rest.filter(({ seq }) => seq <= until);
    assert.deepEqual(dataOf(old), ['3', '4', '6', '7', '8', '9']);
    const seqs = rest.map(({ seq }) => seq);
    assert.deepEqual(
      seqs,
      seqs.toSorted((a, b) => a - b),
    );
    const long = await read(log, 0, ['state'], { events: 10, length: 2 }, true);
    assert.equal(long.entries.length, 2);
  }),
  oneLog(
    'leaves deleted keys out of a snapshot, but gives followers the deletion',
    { topics },
    async (log) => {
      const start = log.tail.head;
      await append(log, { topics: 'state', data: 1, key: 'a' }, { topics: 'state', data: 2, key: 'b' });
      await append(log, { topics: 'state', data: 'gone', key: 'a', tombstone: true });
      assert.deepEqual(await snapshotOf(log, ['state']), ['2']);
      assert.deepEqual(await dataAfter(log, start), ['2', '"gone"']);
      await append(log, { topics: 'state', data: 'back', key: 'a' });
      assert.deepEqual(await snapshotOf(log, ['state']), ['2', '"back"']);
      assert.deepEqual(await dataAfter(log, start), ['2', '"back"']);
    },
  ),
  oneLog(
    'keeps the newest value of each key, even beyond the bounds of retention',
    { topics, retention: { events: 5 } },
    async (log) => {
      const start = log.tail.head;
      await append(log, { topics: 'state', data: 'old', key: 'a' }, { topics: 'state', data: 'b', key: 'b' });
      await append(log, { topics: 'state', data: 'a', key: 'a' });
      await appendMany(log, 'noise', 30);
      assert.deepEqual(await snapshotOf(log, ['state']), ['"b"', '"a"']);
      assert.ok(log.floor < start + 2, '`earliest` begins before what is kept');
      assert.deepEqual((await dataAfter(log, log.floor, ['state'])).toSorted(), ['"a"', '"b"']);
      assert.deepEqual(await lost(log, start, ['state', 'noise']), ['noise']);
      await append(log, { topics: 'state', data: 'newest', key: 'a' });
      assert.deepEqual(await snapshotOf(log, ['state']), ['"b"', '"newest"']);
    },
  ),
  oneLog(
    'lets retention take deletions, and reports them as losses',
    { topics, retention: { events: 5 } },
    async (log) => {
      const start = log.tail.head;
      await append(log, { topics: 'state', data: 1, key: 'a' });
      await append(log, { topics: 'state', data: 'gone', key: 'a', tombstone: true });
      await appendMany(log, 'noise', 30);
      assert.deepEqual(await dataAfter(log, log.floor, ['state']), []);
      assert.deepEqual(await lost(log, start, ['state']), ['state']);
    },
  ),
  oneLog('knows the id of a superseded event for a while', { topics }, async (log) => {
    const [first] = await append(log, { topics: 'state', data: 1, key: 'k', id: 'one' });
    await append(log, { topics: 'state', data: 2, key: 'k', id: 'two' });
    await appendMany(log, 'noise', 50);
    const retried = await append(log, { topics: 'state', data: 1, key: 'k', id: 'one' });
    assert.deepEqual(retried, [{ seq: first?.seq, duplicate: true }]);
    assert.deepEqual(await snapshotOf(log, ['state']), ['2']);
  }),
  oneLog('knows the id of a superseded event for 10,000 events from then on', { topics }, async (log) => {
    const [first] = await append(log, { topics: 'state', data: 1, key: 'k', id: 'one' });
    const noise = Array.from({ length: 1000 }, (_, i) => ({ topics: 'noise', data: i }));
    for (let i = 0; i < 11; i += 1) await append(log, ...noise);
    await append(log, { topics: 'state', data: 2, key: 'k' });
    const retried = await append(log, { topics: 'state', data: 1, key: 'k', id: 'one' });
    assert.deepEqual(retried, [{ seq: first?.seq, duplicate: true }]);
  }),
  oneLog(
    'counts neither values nor the hub’s own events against the log’s bounds',
    { topics, retention: { events: 10 } },
    async (log, time) => {
      const start = log.tail.head;
      await appendMany(log, 'plain', 10);
      for (let i = 0; i < 30; i += 1) await append(log, { topics: 'state', data: i, key: `k${i}` });
      for (let i = 0; i < 30; i += 1) await log.append([presence(`room/${i}`, i % 2 === 0)]);
      await log.trim(time.now);
      assert.equal((await dataAfter(log, start, ['plain'])).length, 10);
      assert.deepEqual(await lost(log, start, ['plain', 'state']), []);
      assert.equal((await snapshotOf(log, ['state'])).length, 30);
      assert.equal((await snapshotOf(log, [{ pattern: 'presence/*' }])).length, 15);
      await append(log, { topics: 'plain', data: 'one more' });
      assert.equal((await dataAfter(log, log.floor, ['plain'])).length, 10);
      assert.deepEqual(await lost(log, start, ['plain', 'state']), ['plain']);
    },
  ),
  oneLog(
    'knows the id of a value for as long as it keeps the value',
    { topics, retention: { events: 3 } },
    async (log) => {
      const [first] = await append(log, { topics: 'state', data: 1, key: 'k', id: 'one' });
      await appendMany(log, 'noise', 20);
      const retried = await append(log, { topics: 'state', data: 'again', key: 'k', id: 'one' });
      assert.deepEqual(retried, [{ seq: first?.seq, duplicate: true }]);
      assert.deepEqual(await snapshotOf(log, ['state']), ['1']);
    },
  ),
];

/** One of the hub's presence events. */
function presence(topic: string, isEmpty: boolean): NewEvent {
  const name: [string] = [`presence/${topic}`];
  return {
    topics: name,
    key: 'now',
    data: '{}',
    type: 'presence',
    id: undefined,
    tombstone: isEmpty,
    private: false,
  };
}
