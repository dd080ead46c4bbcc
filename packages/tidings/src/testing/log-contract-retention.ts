import assert from 'node:assert/strict';
import { createMatcherSet } from '../protocol/matcher-set.ts';
import type { Matcher } from '../protocol/matcher.ts';
import type { EventLog } from '../log/event-log.ts';
import { type ContractCase, oneLog } from './contract-case.ts';
import { append, appendMany, dataAfter, lost, read, readAll } from './log-steps.ts';

/** As many tags as an event may have. */
const TAG_NAMES = 'abcdefgh';

/** A log's duties in retention, and in reporting its losses. */
export const retentionCases: readonly ContractCase[] = [
  oneLog(
    'keeps as many events as retention allows, and names the topics that lost some',
    { retention: { events: 10 } },
    async (log, time) => {
      const start = log.tail.head;
      await append(log, { topics: 'early', data: 0 });
      await appendMany(log, 'steady', 15);
      await log.trim(time.now);
      assert.equal(log.floor, start + 6);
      assert.equal(log.newestLoss, start + 6);
      assert.equal((await read(log, log.floor)).entries.length, 10);
      assert.deepEqual(await lost(log, start, ['early', 'steady', 'never']), ['early', 'steady']);
      assert.deepEqual(await lost(log, start + 1, ['early', 'steady', 'never']), ['steady']);
      assert.deepEqual(await lost(log, log.floor, ['early', 'steady', 'never']), []);
      assert.deepEqual(await lost(log, start, [{ pattern: 'ear*' }, { pattern: 'none/*' }]), [
        { pattern: 'ear*' },
      ]);
    },
  ),
  oneLog(
    'takes other bounds for a topic while it is open, unless others share it',
    { topics: [{ match: 'few', retention: { events: 3 } }] },
    async (log, time) => {
      // Others would still go by the former rules.
      if (log.shared) return;
      const countOf = async (topic: string): Promise<number> =>
        (await dataAfter(log, log.floor, [topic])).length;
      await appendMany(log, 'few', 5);
      await appendMany(log, 'brief', 5);
      log.rules.change([
        { match: 'few', retention: { events: 1 } },
        { match: 'brief', retention: { age: 1000 } },
      ]);
      await appendMany(log, 'few', 1);
      await appendMany(log, 'brief', 1);
      assert.deepEqual([await countOf('few'), await countOf('brief')], [1, 6]);
      time.now += 5000;
      await log.trim(time.now);
      // Those before the rule had no such bound.
      assert.equal(await countOf('brief'), 5);
      log.rules.change([]);
      await appendMany(log, 'few', 3);
      assert.equal(await countOf('few'), 4);
      log.rules.change([{ match: 'few', retention: { events: 2 } }]);
      await appendMany(log, 'few', 4);
      // Those in between had no bound, either.
      assert.equal(await countOf('few'), 5);
    },
  ),
  oneLog('reports a loss for each topic of an event', { retention: { events: 1 } }, async (log) => {
    await append(log, { topics: ['one', 'two'], data: 1 });
    await appendMany(log, 'noise', 2);
    assert.deepEqual(await lost(log, 0, ['one', 'two', 'three']), ['one', 'two']);
  }),
  oneLog(
    'keeps no event older than retention allows, even without appends',
    { retention: { age: 1000 } },
    async (log, time) => {
      await append(log, { topics: 'old', data: 1 });
      time.now += 600;
      await append(log, { topics: 'new', data: 2 });
      time.now += 600;
      await log.trim(time.now);
      assert.deepEqual(await dataAfter(log, log.floor), ['2']);
      assert.deepEqual(await lost(log, 0, ['old', 'new']), ['old']);
    },
  ),
  oneLog('keeps aging when the clock is set back', { retention: { age: 10_000 } }, async (log, time) => {
    await append(log, { topics: 'before', data: 1 });
    time.now += 5000;
    await append(log, { topics: 'ahead', data: 2 });
    time.now -= 3_600_000;
    await append(log, { topics: 'after', data: 3 });
    assert.deepEqual(await dataAfter(log, log.floor), ['1', '2', '3']);
    time.now += 6000;
    await log.trim(time.now);
    assert.deepEqual(await dataAfter(log, log.floor), ['2', '3']);
    time.now += 5000;
    await log.trim(time.now);
    assert.deepEqual(await dataAfter(log, log.floor), []);
  }),
  oneLog('keeps no more bytes than retention allows', { retention: { bytes: 20_000 } }, async (log) => {
    for (let i = 0; i < 50; i += 1) await append(log, { topics: 'a', data: 'x'.repeat(1000) });
    const { entries } = await read(log, log.floor);
    assert.ok(
      entries.length > 5 && entries.length <= 20,
      `${entries.length} events of 1,000 bytes in 20,000`,
    );
    assert.equal(entries.at(-1)?.seq, log.tail.head);
  }),
  oneLog('forgets an id together with its event', { retention: { events: 2 } }, async (log, time) => {
    const [first] = await append(log, { topics: 'a', data: 1, id: 'x' });
    await append(log, { topics: 'a', data: 2 }, { topics: 'a', data: 3 });
    await log.trim(time.now);
    const [second] = await append(log, { topics: 'a', data: 4, id: 'x' });
    assert.equal(second?.duplicate, false);
    assert.notEqual(second?.seq, first?.seq);
  }),
  oneLog(
    'bounds each topic separately by its rule, and leaves other topics alone',
    { topics: [{ match: { pattern: 'few/*' }, retention: { events: 2 } }] },
    async (log) => {
      const start = log.tail.head;
      for (let i = 0; i < 5; i += 1)
        await append(log, { topics: ['few/1', 'also'], data: i }, { topics: 'many', data: i });
      await append(
        log,
        { topics: 'few/2', data: 'alone' },
        { topics: ['many', 'few/1'], data: 'by its first topic' },
      );
      assert.deepEqual(await dataAfter(log, start, ['few/1']), ['3', '4', '"by its first topic"']);
      assert.deepEqual(await dataAfter(log, start, ['also']), ['3', '4']);
      assert.deepEqual(await dataAfter(log, start, ['few/2']), ['"alone"']);
      assert.equal((await dataAfter(log, start, ['many'])).length, 6);
      assert.deepEqual(await lost(log, start, ['few/1', 'few/2', 'also', 'many']), ['few/1', 'also']);
      assert.equal(log.newestLoss, start + 5);
    },
  ),
  oneLog(
    'bounds a topic by bytes and by age as well, even without appends',
    {
      topics: [
        { match: 'small', retention: { bytes: 3000 } },
        { match: 'brief', retention: { age: 1000 } },
      ],
    },
    async (log, time) => {
      for (let i = 0; i < 20; i += 1) await append(log, { topics: 'small', data: 'x'.repeat(500) });
      const { length } = await dataAfter(log, log.floor, ['small']);
      assert.ok(length >= 2 && length <= 6, `${length} events of 500 bytes in 3,000`);
      await append(log, { topics: 'brief', data: 1 }, { topics: 'lasting', data: 2 });
      time.now += 2000;
      await log.trim(time.now);
      assert.deepEqual(await dataAfter(log, log.floor, ['brief', 'lasting']), ['2']);
      assert.deepEqual(await lost(log, 0, ['brief', 'lasting']), ['brief']);
    },
  ),
  oneLog(
    'reads up to the head over seqs that are gone',
    {
      topics: [
        { match: 'none', retention: { events: 0 } },
        { match: 'state', state: true },
      ],
    },
    async (log) => {
      const start = log.tail.head;
      await append(log, { topics: 'kept', data: 1 });
      await append(log, ...[2, 3, 4].map((data) => ({ topics: 'state', data, key: 'k' })));
      await append(log, { topics: 'none', data: 5 }, { topics: 'none', data: 6 });
      assert.equal(log.tail.head, start + 6);
      for (let after = start; after < log.tail.head; after += 1) {
        const expected = ['1', '4'].slice(after === start ? 0 : after < start + 4 ? 1 : 2);
        assert.deepEqual(await dataAfter(log, after), expected);
        const entries = await readAll(log, after, undefined, { events: 1, length: 1e6 });
        assert.deepEqual(
          entries.map(({ data }) => data),
          expected,
        );
      }
      assert.deepEqual(await lost(log, start, ['kept', 'state', 'none']), ['none']);
      await append(log, { topics: 'kept', data: 7 });
      assert.deepEqual(await dataAfter(log, start + 6), ['7']);
    },
  ),
  oneLog(
    'counts losses, which don’t happen in the order of seqs',
    { retention: { events: 4 }, topics: [{ match: 'few', retention: { events: 1 } }] },
    async (log) => {
      await append(log, { topics: ['first', 'x'], data: 1 });
      await append(log, { topics: ['few', 'x'], data: 2 }, { topics: ['few', 'x'], data: 3 });
      const before = await lossOf(log, 'x');
      // The bound of `few` has taken the second event; now the log's own takes the first one.
      await appendMany(log, 'noise', 3);
      const after = await lossOf(log, 'x');
      assert.ok(before !== undefined && after !== undefined);
      assert.ok(after.count > before.count, 'a reader that was told of the one has to learn of the other');
    },
  ),
  oneLog(
    'tells those who may read only public events of no private one that is lost, by topic or pattern',
    { retention: { events: 2 } },
    async (log) => {
      const start = log.tail.head;
      const wanted: Matcher[] = [
        'user/1',
        'user/2',
        'user/3',
        { pattern: 'user/*' },
        { pattern: ':a/1' },
        'none',
      ];
      await append(log, { topics: ['user/1', 'user/2'], data: 1, private: true });
      await appendMany(log, 'noise', 3);
      assert.deepEqual(await lost(log, start, wanted, true), []);
      assert.deepEqual(await lost(log, start, wanted), [
        'user/1',
        'user/2',
        { pattern: 'user/*' },
        { pattern: ':a/1' },
      ]);
      await append(log, { topics: 'user/2', data: 2 }, { topics: 'user/3', data: 3, private: true });
      await appendMany(log, 'noise', 3);
      assert.deepEqual(await lost(log, start, wanted, true), ['user/2', { pattern: 'user/*' }]);
      // All that was lost after the public event is private, or noise.
      assert.deepEqual(await lost(log, start + 5, wanted, true), []);
      assert.deepEqual(await lost(log, start + 5, wanted), ['user/3', { pattern: 'user/*' }]);
    },
  ),
  oneLog(
    'counts losses of public events apart: a private one brings those who may not read it no second gap',
    { retention: { events: 2 }, topics: [{ match: 'bounded', retention: { events: 1 } }] },
    async (log) => {
      for (const matcher of ['x', { pattern: 'x*' }]) {
        await append(log, { topics: ['bounded', 'x'], data: 1 }, { topics: ['bounded'], data: 2 });
        const first = await lossOf(log, matcher, true);
        await append(
          log,
          { topics: ['bounded', 'x'], data: 3, private: true },
          { topics: 'bounded', data: 4 },
        );
        const second = await lossOf(log, matcher, true);
        assert.deepEqual(second, first);
        const all = await lossOf(log, matcher, false);
        assert.ok(all !== undefined && first !== undefined && all.count > first.count);
        await append(log, { topics: ['bounded', 'x'], data: 5 }, { topics: 'bounded', data: 6 });
        const third = await lossOf(log, matcher, true);
        assert.ok(third !== undefined && third.count > first.count && third.seq > first.seq);
      }
    },
  ),
  oneLog(
    'knows what topics have lost, however many tags went with their events',
    { retention: { events: 2 } },
    async (log, time) => {
      const start = log.tail.head;
      for (let i = 0; i < 700; i += 100) {
        const events = Array.from({ length: 100 }, (_, n) => {
          const tags = Object.fromEntries(Array.from(TAG_NAMES, (name) => [name, `${i + n}`]));
          return { topics: 'tagged', data: n, tags };
        });
        await append(log, ...events);
      }
      await appendMany(log, 'noise', 3);
      await log.trim(time.now);
      assert.deepEqual(
        await lost(log, start, ['tagged', 'other', { pattern: 'tag*' }, { pattern: 'other*' }]),
        ['tagged', { pattern: 'tag*' }],
      );
    },
  ),
  oneLog(
    'gives a reader every event, or says that it is lost, however retention races with it',
    { retention: { events: 20 }, topics: [{ match: 't/0', retention: { events: 2 } }] },
    async (log) => {
      const start = log.tail.head;
      const wanted = ['t/0', 't/1', 't/2'];
      const seen = new Set<number>();
      const told = new Map<Matcher, number>();
      const appending = (async (): Promise<void> => {
        for (let i = 0; i < 100; i += 1)
          await append(log, { topics: `t/${i % 3}`, data: i }, { topics: 'x', data: i });
      })();
      let done = false;
      const ended = appending.then(() => (done = true));
      // The rejection is handled where this is awaited, unless the case has failed before.
      ended.catch(() => {});
      for (let after = start; !done || after < log.tail.head;) {
        const page = await read(log, after, wanted, { events: 3, length: 1e6 });
        for (const { matcher, seq } of await log.losses(after, createMatcherSet(wanted)))
          told.set(matcher, Math.max(seq, told.get(matcher) ?? 0));
        for (const { seq } of page.entries) seen.add(seq);
        after = page.next;
        await new Promise<void>((resolve) => void setImmediate(resolve));
      }
      await ended;
      for (let i = 0; i < 100; i += 1) {
        const seq = start + 1 + 2 * i;
        const isTold = (told.get(`t/${i % 3}`) ?? 0) >= seq;
        assert.ok(seen.has(seq) || isTold, `event ${seq} was neither read nor told as lost`);
      }
    },
  ),
];

async function lossOf(
  log: EventLog,
  matcher: Matcher,
  publicOnly?: boolean,
): Promise<{ seq: number; count: number } | undefined> {
  return (await log.losses(0, createMatcherSet([matcher]), publicOnly))[0];
}
