import assert from 'node:assert/strict';
import type { EventLog } from '../log/event-log.ts';
import type { LogEntry } from '../log/entry.ts';
import type { Retention } from '../log/retention.ts';
import type { NewEvent } from '../protocol/event.ts';
import { type OpenLogOptions, finish } from './contract-case.ts';
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
function state(key: string, data: string): NewEvent {
  const topics: [string] = ['presence/contract'];
  return { topics, key, data, type: undefined, id: undefined, tombstone: false, private: false };
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
      assert.ok(missed.length > 0, 'nobody was told');
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
