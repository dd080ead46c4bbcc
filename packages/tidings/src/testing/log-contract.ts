import assert from 'node:assert/strict';
import type { EventLog } from '../log/event-log.ts';
import type { LogEntry } from '../log/entry.ts';
import type { Retention } from '../log/retention.ts';
import { TidingsError } from '../protocol/tidings-error.ts';
import { type EventInput, toNewEvent } from '../protocol/event.ts';
import { append, lost, read } from './log-steps.ts';

export interface OpenLogOptions {
  readonly retention: Retention;
  /** Milliseconds since 1970: the log is to take its time from here. */
  readonly now: () => number;
}

/** Opens a new, empty log of the engine under test. */
export type LogFactory = (options: OpenLogOptions) => EventLog | Promise<EventLog>;

export interface ContractCase {
  /** A sentence about what an engine owes. */
  readonly name: string;
  /** Rejects with an AssertionError if the engine doesn't. */
  readonly run: (open: LogFactory) => Promise<void>;
}

/**
 * What every `EventLog` owes, as cases for any test runner:
 * `for (const { name, run } of logContract) test(name, () => run(openMyLog));`
 */
export const logContract: readonly ContractCase[] = [
  {
    name: 'gives consecutive seqs in the order of append calls',
    run: withLog({}, async (log) => {
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
  },
  {
    name: 'pushes to the tail in seq order before append resolves',
    run: withLog({}, async (log) => {
      const pushed: number[] = [];
      log.tail.onPush((entries) => pushed.push(...entries.map(({ seq }) => seq)));
      const [appended] = await append(log, { topics: 'a', data: 1 });
      assert.deepEqual(pushed, [appended?.seq]);
      await Promise.all([append(log, { topics: 'a', data: 2 }), append(log, { topics: 'a', data: 3 })]);
      assert.deepEqual(
        pushed,
        pushed.toSorted((a, b) => a - b),
      );
      assert.equal(pushed.length, 3);
    }),
  },
  {
    name: 'reads back every field of an event',
    run: withLog({}, async (log) => {
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
      assert.deepEqual(fieldsOf(full), { ...toNewEvent(event) });
      assert.deepEqual(fieldsOf(plain), { ...toNewEvent({ topics: 'plain', data: null }) });
    }),
  },
  {
    name: 'reads from a cursor, what is wanted only, in pages that a reader can go on from',
    run: withLog({}, async (log) => {
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
    }),
  },
  {
    name: 'stops a page at its length, but gives at least one event',
    run: withLog({}, async (log) => {
      const start = log.tail.head;
      await append(log, { topics: 'a', data: 'x'.repeat(500) }, { topics: 'a', data: 'y'.repeat(500) });
      const page = await read(log, start, ['a'], { events: 10, length: 100 });
      assert.equal(page.entries.length, 1);
      assert.equal(page.next, start + 1);
    }),
  },
  {
    name: 'appends an event of a known id once and gives the first one’s seq',
    run: withLog({}, async (log) => {
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
  },
  {
    name: 'takes the ids of events that an event superseded before it was appended for its own',
    run: withLog({}, async (log) => {
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
    }),
  },
  {
    name: 'keeps what retention by count says and tells which topics lost something',
    run: withLog({ events: 10 }, async (log) => {
      const start = log.tail.head;
      await append(log, { topics: 'early', data: 0 });
      for (let i = 0; i < 15; i += 1) await append(log, { topics: 'steady', data: i });
      await log.trim(0);
      assert.equal(log.floor, start + 6);
      assert.equal(log.newestLoss, start + 6);
      assert.equal((await read(log, log.floor)).entries.length, 10);
      assert.deepEqual(await lost(log, start, ['early', 'steady', 'never']), ['early', 'steady']);
      assert.deepEqual(await lost(log, start + 1, ['early', 'steady', 'never']), ['steady']);
      assert.deepEqual(await lost(log, log.floor, ['early', 'steady', 'never']), []);
      assert.deepEqual(await lost(log, start, [{ pattern: 'ear*' }, { pattern: 'none/*' }]), [
        { pattern: 'ear*' },
      ]);
    }),
  },
  {
    name: 'keeps what retention by age says, even if nobody appends',
    run: async (open) => {
      let now = 1_000_000;
      const log = await open({ retention: { age: 1000 }, now: () => now });
      try {
        await append(log, { topics: 'old', data: 1 });
        now += 600;
        await append(log, { topics: 'new', data: 2 });
        now += 600;
        await log.trim(now);
        const { entries } = await read(log, log.floor);
        assert.deepEqual(
          entries.map(({ data }) => data),
          ['2'],
        );
        assert.deepEqual(await lost(log, 0, ['old', 'new']), ['old']);
      } finally {
        await log.close();
      }
    },
  },
  {
    name: 'keeps what retention by bytes says',
    run: withLog({ bytes: 20_000 }, async (log) => {
      for (let i = 0; i < 50; i += 1) await append(log, { topics: 'a', data: 'x'.repeat(1000) });
      const { entries } = await read(log, log.floor);
      assert.ok(
        entries.length > 5 && entries.length <= 20,
        `${entries.length} events of 1,000 bytes in 20,000`,
      );
      assert.equal(entries.at(-1)?.seq, log.tail.head);
    }),
  },
  {
    name: 'forgets an id together with its event',
    run: withLog({ events: 2 }, async (log) => {
      const [first] = await append(log, { topics: 'a', data: 1, id: 'x' });
      await append(log, { topics: 'a', data: 2 }, { topics: 'a', data: 3 });
      await log.trim(0);
      const [second] = await append(log, { topics: 'a', data: 4, id: 'x' });
      assert.equal(second?.duplicate, false);
      assert.notEqual(second?.seq, first?.seq);
    }),
  },
  {
    name: 'refuses to append and to read once it is closed',
    run: async (open) => {
      const log = await open({ retention: {}, now: Date.now });
      await append(log, { topics: 'a', data: 1 });
      await log.close();
      await log.close();
      await assert.rejects(append(log, { topics: 'a', data: 2 }), isClosed);
      await assert.rejects(read(log, 0), isClosed);
    },
  },
];

function withLog(retention: Retention, test: (log: EventLog) => Promise<void>): ContractCase['run'] {
  return async (open) => {
    const log = await open({ retention, now: Date.now });
    try {
      await test(log);
    } finally {
      await log.close();
    }
  };
}

function fieldsOf(entry: LogEntry | undefined): Record<string, unknown> {
  assert.ok(entry !== undefined);
  const { topics, type, data, id, key, tombstone, private: isPrivate } = entry;
  return { topics, type, data, id, key, tombstone, private: isPrivate };
}

function isClosed(error: unknown): boolean {
  return error instanceof TidingsError && error.code === 'log/closed';
}
