import assert from 'node:assert/strict';
import type { TopicRule } from '../log/topic-rules.ts';
import { type ContractCase, oneLog } from './contract-case.ts';
import { append, appendMany, dataAfter, dataOf, lost, snapshotOf, tailAndLog } from './log-steps.ts';

const topics: readonly TopicRule[] = [
  { match: 'state', state: true },
  { match: { pattern: 'm/*' }, state: true },
];

/** Cases about the topics that a newer value of a key takes from older ones, and those that remain. */
export const supersedingCases: readonly ContractCase[] = [
  oneLog(
    'takes a superseded event only from the topics that the newer one is on',
    { topics },
    async (log) => {
      const start = log.tail.head;
      await append(
        log,
        { topics: ['state', 'audit'], data: 1, key: 'k' },
        { topics: ['m/a', 'm/b'], data: 2, key: 'k' },
      );
      await append(
        log,
        { topics: 'state', data: 3, key: 'k' },
        { topics: ['m/a', 'audit'], data: 4, key: 'k' },
      );
      assert.deepEqual(await dataAfter(log, start, ['audit']), ['1', '4']);
      assert.deepEqual(await dataAfter(log, start, ['state']), ['3']);
      assert.deepEqual(await dataAfter(log, start, ['m/a']), ['4']);
      assert.deepEqual(await dataAfter(log, start, ['m/b']), ['2']);
      assert.deepEqual(await dataAfter(log, start), ['1', '2', '3', '4']);
      // On another state it is still the value of its key; on an ordinary topic it is an event like others.
      assert.deepEqual(await snapshotOf(log, ['m/b']), ['2']);
      assert.deepEqual(await snapshotOf(log, ['state', 'm/a']), ['3', '4']);
      const [inTail, inLog] = await tailAndLog(log, start);
      assert.deepEqual(dataOf(inTail), dataOf(inLog));
      await append(log, { topics: ['m/a', 'm/b', 'audit'], data: 5, key: 'k' });
      assert.deepEqual(await dataAfter(log, start), ['1', '3', '5']);
      assert.deepEqual(await snapshotOf(log), ['3', '5']);
      assert.deepEqual(await lost(log, start, ['audit', 'state', 'm/b']), []);
    },
  ),
  oneLog(
    'reports a loss if the rest of a superseded event is older than all retained events',
    { topics, retention: { events: 5 } },
    async (log) => {
      const start = log.tail.head;
      await append(log, { topics: ['state', 'audit'], data: 1, key: 'k' });
      await appendMany(log, 'noise', 20);
      assert.deepEqual(await lost(log, start, ['state', 'audit']), []);
      await append(log, { topics: 'state', data: 2, key: 'k' });
      await append(log, { topics: 'noise', data: 'later' });
      assert.deepEqual(await lost(log, start, ['state', 'audit']), ['audit']);
      assert.deepEqual(await dataAfter(log, log.floor, ['audit', 'state']), ['2']);
    },
  ),
  oneLog(
    'keeps a public value for readers who may not read the private one that supersedes it',
    { topics },
    async (log) => {
      const start = log.tail.head;
      await append(log, { topics: 'state', data: 'public', key: 'k' });
      await append(log, { topics: 'state', data: 'secret', key: 'k', private: true });
      assert.deepEqual(await dataAfter(log, start), ['"public"', '"secret"']);
      assert.deepEqual(await snapshotOf(log), ['"public"', '"secret"']);
      await append(log, { topics: 'state', data: 'newer secret', key: 'k', private: true });
      assert.deepEqual(await dataAfter(log, start), ['"public"', '"newer secret"']);
      await append(log, { topics: 'state', data: 'newest', key: 'k' });
      assert.deepEqual(await dataAfter(log, start), ['"newest"']);
    },
  ),
  oneLog(
    'bounds how many keys a topic has, and reports the lost ones',
    { topics: [{ match: { pattern: 'state/:id' }, state: true, keys: 3 }] },
    async (log) => {
      const start = log.tail.head;
      for (const key of ['a', 'b', 'c', 'a', 'd']) await append(log, { topics: 'state/1', data: key, key });
      await append(log, { topics: 'state/2', data: 'other', key: 'a' });
      assert.deepEqual(await snapshotOf(log, ['state/1']), ['"c"', '"a"', '"d"']);
      assert.deepEqual(await lost(log, start, ['state/1', 'state/2']), ['state/1']);
      assert.equal(log.newestLoss, start + 2);
      assert.deepEqual(await dataAfter(log, start, ['state/1']), ['"c"', '"a"', '"d"']);
    },
  ),
];
