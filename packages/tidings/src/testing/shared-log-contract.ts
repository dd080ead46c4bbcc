import assert from 'node:assert/strict';
import type { EventLog } from '../log/event-log.ts';
import type { LogEntry } from '../log/entry.ts';
import type { Retention } from '../log/retention.ts';
import type { NewEvent } from '../protocol/event.ts';
import { type OpenLogOptions, finish } from './contract-case.ts';
import { refuses } from './log-contract-keys.ts';
import { append, collect, dataOf, lost, read, tailAndLog } from './log-steps.ts';

/** Opens a new, empty log of the engine under test twice, as two processes would. */
export type SharedLogFactory = (
  options: OpenLogOptions,
) => readonly [EventLog, EventLog] | Promise<readonly [EventLog, EventLog]>;

export interface SharedContractCase {
  /** A sentence that states one duty of an engine. */
  readonly name: string;
  /** Rejects with an AssertionError if the engine fails it, or doesn't answer within so many milliseconds. */
  readonly run: (openTwice: SharedLogFactory, within?: number) => Promise<void>;
}

/** Milliseconds within which a process must notice another one's appends by itself. */
const SOON = 60_000;
/** A presence event. Presence is a state on any log: only the newest of each key is kept. */
function state(key: string, data: string, more: Partial<NewEvent> = {}): NewEvent {
  const topics: [string] = ['presence/contract'];
  return { topics, key, data, type: undefined, id: undefined, tombstone: false, private: false, ...more };
}

/** The duties of a `shared` `EventLog`, in addition to `logContract`, as cases for any test runner. */
export const sharedLogContract: readonly SharedContractCase[] = [
  {
    name: 'says that it is shared, and is the same log for all processes',
    run: withTwo({}, (one, two) => {
      assert.equal(one.shared, true);
      assert.equal(two.shared, true);
      assert.equal(one.tail.epoch, two.tail.epoch);
      assert.equal(one.tail.head, two.tail.head);
    }),
  },
  {
    name: 'gives all processes all events in one order',
    run: withTwo({}, async (one, two) => {
      const start = one.tail.head;
      const pushed = [collect(one), collect(two)] as const;
      const calls = Array.from({ length: 100 }, (_, i) => {
        const log = i % 3 === 0 ? one : two;
        return append(log, { topics: 'a', data: `${i}` }, { topics: `b/${i}`, data: `${i} again` });
      });
      const seqs = (await Promise.all(calls)).flat().map(({ seq }) => seq);
      await Promise.all([one.catchUp(), two.catchUp()]);
      const expected = Array.from({ length: 200 }, (_, i) => start + 1 + i);
      assert.deepEqual(
        seqs.toSorted((a, b) => a - b),
        expected,
      );
      for (const entries of pushed)
        assert.deepEqual(
          entries.map(({ seq }) => seq),
          expected,
        );
      assert.deepEqual(pushed[0].map(textOf), pushed[1].map(textOf));
      assert.deepEqual((await read(two, start)).entries.map(textOf), pushed[0].map(textOf));
    }),
  },
  {
    name: 'pushes other processes’ earlier events before its own, and all of them before append resolves',
    run: withTwo({}, async (one, two) => {
      const pushed = collect(two);
      for (let i = 0; i < 20; i += 1) {
        await append(one, { topics: 'a', data: 'theirs' }, { topics: 'a', data: 'theirs, too' });
        const [own] = await append(two, { topics: 'a', data: 'own' });
        assert.equal(pushed.at(-1)?.seq, own?.seq);
        assert.equal(pushed.length, (i + 1) * 3);
      }
      const seqs = pushed.map(({ seq }) => seq);
      assert.deepEqual(
        seqs,
        seqs.toSorted((a, b) => a - b),
      );
    }),
  },
  {
    name: 'notices other processes’ events by itself',
    run: withTwo({}, async (one, two) => {
      const pushed = collect(two);
      const [appended] = await append(one, { topics: 'a', data: 1 });
      for (const until = Date.now() + SOON; pushed.length === 0 && Date.now() < until;)
        await new Promise((resolve) => void setTimeout(resolve, 1));
      assert.deepEqual(
        pushed.map(({ seq }) => seq),
        [appended?.seq],
      );
    }),
  },
  {
    name: 'has every event that was in the log once catchUp resolves, however many',
    run: withTwo({}, async (one, two) => {
      const pushed = collect(two);
      const events = Array.from({ length: 5000 }, (_, i) => ({ topics: `t/${i % 50}`, data: i }));
      await append(one, ...events);
      await two.catchUp();
      assert.equal(two.tail.head, one.tail.head);
      assert.deepEqual(
        pushed.map(({ data }) => data),
        events.map(({ data }) => String(data)),
      );
    }),
  },
  {
    name: 'appends an event only once if another process appended the same id, and then has it',
    run: withTwo({}, async (one, two) => {
      const pushed = collect(two);
      const [first] = await append(one, { topics: 'a', data: 1, id: 'same' });
      const [again] = await append(two, { topics: 'a', data: 2, id: 'same' });
      assert.deepEqual(again, { seq: first?.seq, duplicate: true });
      assert.deepEqual(pushed.map(textOf), [`${first?.seq} a 1`]);
      const both = [one, two].map((log) => append(log, { topics: 'a', data: 3, id: 'b' }));
      const appended = (await Promise.all(both)).flat();
      assert.equal(appended.filter(({ duplicate }) => duplicate).length, 1);
      assert.equal(appended[0]?.seq, appended[1]?.seq);
    }),
  },
  {
    name: 'removes from the tail events that others superseded, even several times over',
    run: withTwo({}, async (one, two) => {
      const start = two.tail.head;
      await two.append([state('other', 'stays'), state('k', '1')]);
      await one.append([state('k', '2'), state('k', '3'), state('k', '4')]);
      await two.catchUp();
      assert.deepEqual(await tailOf(two, start), ['stays', '4']);
      await one.append([state('k', '5'), state('k', '6')]);
      await two.append([state('k', '7')]);
      await one.catchUp();
      for (const log of [one, two]) assert.deepEqual(await tailOf(log, start), ['stays', '7']);
    }),
  },
  {
    name: 'names the topics of events that retention took before they could be pushed',
    run: withTwo({ events: 10 }, async (one, two) => {
      const start = two.tail.head;
      const pushed = collect(two);
      const missed: { readonly topics: readonly string[] | undefined; readonly head: number }[] = [];
      two.tail.onMiss((topics) => missed.push({ topics, head: two.tail.head }));
      await append(one, { topics: 'early', data: 0 });
      await two.catchUp();
      await append(one, ...Array.from({ length: 30 }, (_, i) => ({ topics: 'steady', data: i })));
      await one.trim(0);
      await two.catchUp();
      assert.equal(two.tail.head, start + 31);
      assert.ok(missed.length > 0, 'the miss was not reported');
      for (const { topics, head } of missed) {
        assert.ok(topics === undefined || topics.includes('steady'));
        assert.ok(head < two.newestLoss, 'told of it too late');
      }
      assert.equal(missed[0]?.head, start + 1);
      assert.equal(pushed.at(-1)?.data, '29');
      assert.equal(two.newestLoss, start + 21);
      assert.deepEqual(await lost(two, start, ['early', 'steady', 'never']), ['early', 'steady']);
      assert.deepEqual(await lost(two, start + 1, ['early', 'steady', 'never']), ['steady']);
    }),
  },
  {
    name: 'lets one of two processes through that append under the same condition at once',
    run: withTwo({}, async (one, two) => {
      for (let i = 0; i < 10; i += 1) {
        const logs = i % 2 === 0 ? [one, two] : [two, one];
        const both = logs.map((log, j) => log.append([state(`${i}`, `${j}`, { ifSeq: 0 })]));
        const results = await Promise.allSettled(both);
        const taken = results.flatMap((result) => (result.status === 'fulfilled' ? result.value : []));
        assert.equal(taken.length, 1);
        for (const [j, { status }] of results.entries())
          if (status === 'rejected') await refuses(both[j] as Promise<unknown>, taken[0]?.seq ?? 0);
        // The one who was refused knows now what is there.
        await refuses(two.append([state(`${i}`, 'late', { ifSeq: 0 })]), taken[0]?.seq ?? 0);
        await one.append([state(`${i}`, 'next', { ifSeq: taken[0]?.seq })]);
      }
    }),
  },
  {
    name: 'lets all processes know that a key has expired',
    run: withTwo({}, async (one, two) => {
      const pushed = [collect(one), collect(two)] as const;
      await one.append([state('k', 'value', { ttl: 100 })]);
      await two.catchUp();
      assert.ok(two.nextExpiry < Infinity, 'the other process doesn’t know that a key will expire');
      for (const until = Date.now() + SOON; two.nextExpiry < Infinity && Date.now() < until;) {
        await two.trim(Date.now());
        await new Promise((resolve) => void setTimeout(resolve, 1));
      }
      await Promise.all([one.catchUp(), two.catchUp()]);
      for (const entries of pushed) {
        assert.deepEqual(
          entries.map(({ key, tombstone }) => [key, tombstone]),
          [
            ['k', false],
            ['k', true],
          ],
        );
      }
    }),
  },
  {
    name: 'appends at most one value of a key within an interval, whichever process has it',
    run: withTwo({}, async (one, two) => {
      const long = 600_000;
      const [first] = await one.append([state('k', '1', { pace: { interval: long, waited: 0 } })]);
      const [plain, early] = await two.append([
        { ...state('k', 'plain'), topics: ['a'], key: undefined },
        state('k', '2', { pace: { interval: long, waited: 0 } }),
      ]);
      assert.equal(plain?.seq, (first?.seq ?? 0) + 1);
      assert.ok(
        (early?.wait ?? 0) > 0 && (early?.wait ?? 0) <= long,
        'it came too soon, and was not answered so',
      );
      assert.equal(two.tail.head, plain?.seq);
      // Another key has an interval of its own.
      const [other] = await two.append([state('other', '3', { pace: { interval: long, waited: 0 } })]);
      assert.equal(other?.wait, undefined);
    }),
  },
  {
    name: 'counts the value that was published last, even if it is appended first',
    run: withTwo({}, async (one, two) => {
      const publish = async (log: EventLog, data: string, waited: number) => {
        const [answer] = await log.append([state('k', data, { pace: { interval: 1, waited } })]);
        return answer;
      };
      await publish(one, '1', 0);
      let second = await publish(one, '2', 0);
      for (const until = Date.now() + SOON; second?.wait !== undefined && Date.now() < until;)
        second = await publish(one, '2', 0);
      assert.deepEqual(await publish(two, 'older', 300_000), { seq: second?.seq, duplicate: true });
      let third = await publish(two, '3', 0);
      for (const until = Date.now() + SOON; third?.wait !== undefined && Date.now() < until;)
        third = await publish(two, '3', 0);
      assert.equal(third?.seq, (second?.seq ?? 0) + 1);
    }),
  },
  {
    name: 'goes on when another process has closed it',
    run: withTwo({}, async (one, two) => {
      await append(one, { topics: 'a', data: 1 });
      await one.close();
      await append(two, { topics: 'a', data: 2 });
      assert.deepEqual(
        (await read(two, two.tail.head - 2)).entries.map(({ data }) => data),
        ['1', '2'],
      );
    }),
  },
];

function withTwo(
  retention: Retention,
  test: (one: EventLog, two: EventLog) => void | Promise<void>,
): SharedContractCase['run'] {
  return async (openTwice, within = 30_000) => {
    const opening = openTwice({ retention, topics: [], now: Date.now });
    const [one, two] = await finish('Opening the logs', opening, within);
    try {
      await finish('The case', test(one, two), within);
    } finally {
      await finish('Closing the logs', Promise.all([one.close(), two.close()]), within);
    }
  };
}

/** The data of the tail's entries, which are those of the log. */
async function tailOf(log: EventLog, after: number): Promise<string[]> {
  assert.ok(log.tail.floor <= after);
  const [inTail, inLog] = await tailAndLog(log, after);
  assert.deepEqual(inTail.map(textOf), inLog.map(textOf));
  return dataOf(inTail);
}

function textOf({ seq, topics, data }: LogEntry): string {
  return `${seq} ${topics.join()} ${data}`;
}
