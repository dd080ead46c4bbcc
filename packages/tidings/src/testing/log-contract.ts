import assert from 'node:assert/strict';
import { assertEpoch } from '../protocol/cursor.ts';
import { type EventInput, type NewEvent, toNewEvent } from '../protocol/event.ts';
import type { LogEntry } from '../log/entry.ts';
import { TidingsError } from '../protocol/tidings-error.ts';
import { type ContractCase, oneLog } from './contract-case.ts';
import { append, collect, dataAfter, read, tailAndLog } from './log-steps.ts';
import { keyCases } from './log-contract-keys.ts';
import { pageCases } from './log-contract-pages.ts';
import { retentionCases } from './log-contract-retention.ts';
import { stateCases } from './log-contract-states.ts';
import { supersedingCases } from './log-contract-superseding.ts';

const appendCases: readonly ContractCase[] = [
  oneLog('gives consecutive seqs in the order of append calls', {}, async (log) => {
    const first = log.tail.head;
    const calls = Array.from({ length: 20 }, (_, i) =>
      append(log, { topics: `t/${i}`, data: i }, { topics: 'x', data: i }),
    );
    const seqs = (await Promise.all(calls)).flat().map(({ seq }) => seq);
    assert.deepEqual(
      seqs,
      Array.from({ length: 40 }, (_, i) => first + 1 + i),
    );
    assert.equal(log.tail.head, first + 40);
  }),
  oneLog('pushes to the tail in seq order before append resolves', {}, async (log) => {
    const pushed = collect(log);
    const [appended] = await append(log, { topics: 'a', data: 1 });
    assert.deepEqual(
      pushed.map(({ seq }) => seq),
      [appended?.seq],
    );
    await Promise.all([append(log, { topics: 'a', data: 2 }), append(log, { topics: 'a', data: 3 })]);
    const seqs = pushed.map(({ seq }) => seq);
    assert.deepEqual(
      seqs,
      seqs.toSorted((a, b) => a - b),
    );
    assert.equal(pushed.length, 3);
  }),
  oneLog('appends an event of a known id once and gives the first one’s seq', {}, async (log) => {
    const [[first], [again]] = await Promise.all([
      append(log, { topics: 'a', data: 1, id: 'same' }),
      append(log, { topics: 'a', data: 2, id: 'same' }),
    ]);
    assert.deepEqual(again, { seq: first?.seq, duplicate: true });
    const [inOneCall, twice] = await append(
      log,
      { topics: 'a', data: 3, id: 'b' },
      { topics: 'a', data: 4, id: 'b' },
    );
    assert.deepEqual(twice, { seq: inOneCall?.seq, duplicate: true });
    assert.equal((await read(log, log.floor)).entries.length, 2);
  }),
  oneLog(
    'treats the ids of events superseded before the append as the newer event’s own',
    {},
    async (log) => {
      const [first] = await append(log, { topics: 'a', data: 1, id: 'first' });
      const newest = toNewEvent({ topics: 'a', data: 4, id: 'newest' });
      const [appended] = await log.append([{ ...newest, supersededIds: ['first', 'second', 'third'] }]);
      for (const [id, seq] of [
        ['newest', appended?.seq],
        ['second', appended?.seq],
        ['third', appended?.seq],
        // This one is in the log itself.
        ['first', first?.seq],
      ] as const) {
        assert.deepEqual(await append(log, { topics: 'a', data: 'again', id }), [{ seq, duplicate: true }]);
      }
      assert.equal((await read(log, log.floor)).entries.length, 2);
    },
  ),
  oneLog('appends all events of a call or none', {}, async (log) => {
    const pushed = collect(log);
    await append(log, { topics: 'a', data: 'before' });
    const { head } = log.tail;
    const half = [toNewEvent({ topics: 'a', data: 'half', id: 'h' }), broken()];
    await assert.rejects(log.append(half), 'an event that can’t be stored');
    assert.equal(log.tail.head, head);
    const [again] = await append(log, { topics: 'a', data: 'whole', id: 'h' });
    assert.deepEqual(again, { seq: head + 1, duplicate: false });
    assert.deepEqual(await dataAfter(log, head - 1), ['"before"', '"whole"']);
    assert.equal(pushed.length, 2);
  }),
  oneLog('has every earlier event once catchUp resolves', {}, async (log) => {
    const appending = append(log, { topics: 'a', data: 1 });
    await log.catchUp();
    const [appended] = await appending;
    await log.catchUp();
    assert.equal(log.tail.head, appended?.seq);
  }),
];

const readCases: readonly ContractCase[] = [
  oneLog('has an epoch that can stand in a cursor', {}, (log) => {
    assertEpoch(log.tail.epoch);
    return Promise.resolve();
  }),
  oneLog('reads back every field of an event', {}, async (log, time) => {
    const event: EventInput = {
      topics: ['a', 'b/ü'],
      data: 'two\nlines \u{1f600}',
      raw: true,
      type: 'greeting',
      id: 'e-1',
      key: 'k',
      tombstone: true,
      private: true,
    };
    await append(log, event, { topics: 'plain', data: null });
    const [full, plain] = (await read(log, log.floor)).entries;
    assert.deepEqual(fieldsOf(full), { ...toNewEvent(event), time: time.now });
    assert.deepEqual(fieldsOf(plain), { ...toNewEvent({ topics: 'plain', data: null }), time: time.now });
  }),
  oneLog(
    'reads only wanted events after a cursor, in pages that a reader can go on from',
    {},
    async (log) => {
      const start = log.tail.head;
      for (let i = 0; i < 30; i += 1) await append(log, { topics: i % 3 === 0 ? 'third' : 'other', data: i });
      const found: string[] = [];
      let after = start;
      for (let pages = 0; after < log.tail.head; pages += 1) {
        assert.ok(pages < 40, 'a page must bring the reader forward');
        const page = await read(log, after, ['third'], { events: 3, length: 1e6 });
        assert.ok(page.entries.length <= 3 && page.next > after);
        found.push(...page.entries.map(({ data }) => data));
        after = page.next;
      }
      assert.deepEqual(found, ['0', '3', '6', '9', '12', '15', '18', '21', '24', '27']);
    },
  ),
  oneLog('stops a page at its length, but gives at least one event', {}, async (log) => {
    const start = log.tail.head;
    await append(log, { topics: 'a', data: 'x'.repeat(500) }, { topics: 'a', data: 'y'.repeat(500) });
    const page = await read(log, start, ['a'], { events: 10, length: 100 });
    assert.equal(page.entries.length, 1);
    assert.equal(page.next, start + 1);
  }),
  oneLog('finds an event by each of its topics, once, by name and by pattern', {}, async (log) => {
    const start = log.tail.head;
    await append(log, { topics: ['one', 'two/x', 'two/y'], data: 1 }, { topics: 'other', data: 2 });
    for (const topics of [['one'], ['two/y'], [{ pattern: 'two/*' }], ['one', 'two/x', { pattern: '*/y' }]])
      assert.deepEqual(await dataAfter(log, start, topics), ['1']);
  }),
  oneLog('reads the same events as its tail', {}, async (log) => {
    const start = log.tail.head;
    for (let i = 0; i < 20; i += 1) await append(log, { topics: `t/${i % 3}`, data: i });
    const [inTail, inLog] = await tailAndLog(log, start);
    assert.deepEqual(inLog.map(fieldsOf), inTail.map(fieldsOf));
    assert.ok(inTail.length > 0);
  }),
  oneLog('shows no event to readers before the tail has it', {}, async (log) => {
    let appended = false;
    const appending = Promise.all(
      Array.from({ length: 20 }, (_, i) => append(log, { topics: 'a', data: i })),
    ).then(() => (appended = true));
    // The rejection is handled where this is awaited, unless the case has failed before.
    appending.catch(() => {});
    for (let reads = 0; !appended && reads < 1000; reads += 1) {
      const { entries, next } = await read(log, 0);
      const newest = Math.max(next, entries.at(-1)?.seq ?? 0);
      assert.ok(newest <= log.tail.head, `read up to ${newest}, the tail’s head is ${log.tail.head}`);
      await new Promise<void>((resolve) => void setImmediate(resolve));
    }
    await appending;
  }),
];

const closeCases: readonly ContractCase[] = [
  oneLog('refuses to append and to read once it is closed, and can be closed twice', {}, async (log) => {
    await append(log, { topics: 'a', data: 1 });
    await log.close();
    await log.close();
    await assert.rejects(append(log, { topics: 'a', data: 2 }), isClosed);
    await assert.rejects(read(log, 0), isClosed);
  }),
  oneLog('has pushed every event it acknowledges, even while it is being closed', {}, async (log) => {
    const pushed = collect(log);
    const calls = Array.from({ length: 10 }, (_, i) => append(log, { topics: 'a', data: i }));
    const closing = log.close();
    const results = await Promise.allSettled(calls);
    await closing;
    const acknowledged = results.flatMap((result) => (result.status === 'fulfilled' ? result.value : []));
    assert.deepEqual(
      pushed.map(({ seq }) => seq),
      acknowledged.map(({ seq }) => seq),
    );
    for (const result of results) assert.ok(result.status === 'fulfilled' || isClosed(result.reason));
  }),
];

/**
 * The duties of every `EventLog`, as cases for any test runner:
 * `for (const { name, run } of logContract) test(name, () => run(openMyLog));`
 */
export const logContract: readonly ContractCase[] = [
  ...appendCases,
  ...readCases,
  ...pageCases,
  ...stateCases,
  ...supersedingCases,
  ...keyCases,
  ...retentionCases,
  ...closeCases,
];

/** An event that no engine can store: each of its fields fails to be read. */
function broken(): NewEvent {
  return new Proxy({} as NewEvent, {
    get() {
      throw new Error('This event can’t be read.');
    },
  });
}

function fieldsOf(entry: LogEntry | undefined): Record<string, unknown> {
  assert.ok(entry !== undefined);
  const { time, topics, type, data, id, key, tombstone, private: isPrivate } = entry;
  return { time, topics, type, data, id, key, tombstone, private: isPrivate };
}

function isClosed(error: unknown): boolean {
  return error instanceof TidingsError && error.code === 'log/closed';
}
