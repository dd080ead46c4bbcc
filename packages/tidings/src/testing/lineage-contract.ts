import assert from 'node:assert/strict';
import type { EventLog } from '../log/event-log.ts';
import { locate } from '../log/lineage.ts';
import { type OpenLogOptions, finish } from './contract-case.ts';
import { append, dataAfter, snapshotOf } from './log-steps.ts';

/** A log that can be made to lose its end. */
export interface LosingLog {
  readonly log: EventLog;
  /** Saves the log's present state, as a backup or a lagging copy does. */
  keep(): Promise<void>;
  /** Makes the log lose everything after that. @returns the log from then on: the same one, or one opened anew. */
  lose(): Promise<EventLog>;
}

/** Opens a new, empty log of the engine under test. */
export type LosingLogFactory = (options: OpenLogOptions) => Promise<LosingLog>;

export interface LineageContractCase {
  /** A sentence that states one duty of an engine. */
  readonly name: string;
  readonly run: (open: LosingLogFactory, within?: number) => Promise<void>;
}

/** The duties of an `EventLog`, in addition to `logContract`, if it can lose events that it gave out and go on. */
export const lineageContract: readonly LineageContractCase[] = [
  losing('begins a new epoch, and remembers where the old one ended', async ({ log, keep, lose }) => {
    await append(log, { topics: 'a', data: 1 }, { topics: 'a', data: 2 });
    const { epoch, head: end } = log.tail;
    await keep();
    await append(log, { topics: 'a', data: 3 }, { topics: 'b', data: 4 });
    const rewinds: number[] = [];
    log.tail.onRewind((seq) => rewinds.push(seq));
    const after = await lose();
    if (after === log) assert.deepEqual(rewinds, [end], 'the tail has to say that it goes back');
    assert.notEqual(after.tail.epoch, epoch);
    assert.equal(after.tail.head, end);
    assert.deepEqual(after.lineage.at(-1), { epoch, end });
    assert.deepEqual(await dataAfter(after, 0), ['1', '2']);
  }),
  losing(
    'goes on with the next seq, and recognizes cursors of the old epoch',
    async ({ log, keep, lose }) => {
      await append(log, { topics: 'a', data: 1 });
      const { epoch, head: end } = log.tail;
      await keep();
      await append(log, { topics: 'a', data: 'lost' });
      const after = await lose();
      const [appended] = await append(after, { topics: 'a', data: 'new' });
      assert.equal(appended?.seq, end + 1);
      const descent = { epoch: after.tail.epoch, head: after.tail.head, lineage: after.lineage };
      assert.deepEqual(locate({ epoch, seq: end }, descent), { is: 'known', seq: end });
      assert.deepEqual(locate({ epoch, seq: end + 1 }, descent), { is: 'rewound', seq: end });
      assert.deepEqual(await dataAfter(after, end), ['"new"']);
    },
  ),
  losing('forgets the ids and values of lost events', async ({ log, keep, lose }) => {
    const topics = 'presence/room';
    const value = { type: 'presence', id: undefined, tombstone: false, private: false };
    await log.append([{ ...value, topics: [topics], key: 'now', data: 'old' }]);
    await keep();
    await log.append([{ ...value, topics: [topics], key: 'now', data: 'lost' }]);
    await append(log, { topics: 'a', data: 1, id: 'x' });
    const after = await lose();
    assert.deepEqual(await snapshotOf(after, [topics]), ['old']);
    const [again] = await append(after, { topics: 'a', data: 1, id: 'x' });
    assert.equal(again?.duplicate, false);
  }),
  losing('descends from all its epochs', async ({ log, keep, lose }) => {
    await append(log, { topics: 'a', data: 1 });
    await keep();
    const { epoch } = log.tail;
    await append(log, { topics: 'a', data: 'lost' });
    const second = await lose();
    await append(second, { topics: 'a', data: 'lost, too' });
    const third = await lose();
    assert.deepEqual(
      third.lineage.map(({ end }) => end),
      third.lineage.map(() => 1),
    );
    assert.equal(third.lineage[0]?.epoch, epoch);
    assert.notEqual(third.tail.epoch, second === third ? epoch : second.tail.epoch);
  }),
];

function losing(name: string, test: (log: LosingLog) => Promise<void>): LineageContractCase {
  return {
    name,
    async run(open, within = 20_000) {
      const opening = open({ retention: {}, topics: [], now: Date.now });
      const losingLog = await finish('Opening the log', opening, within);
      const opened = new Set([losingLog.log]);
      const lose = async (): Promise<EventLog> => {
        const after = await losingLog.lose();
        opened.add(after);
        return after;
      };
      try {
        await finish('The case', test({ ...losingLog, lose }), within);
      } finally {
        for (const log of opened) await finish('Closing the log', log.close(), within);
      }
    },
  };
}
