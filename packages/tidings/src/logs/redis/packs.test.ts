import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type NewEvent, createTopicRules, entryOf } from '../../log/index.ts';
import { toAnswers, toBatch } from './batch.ts';
import { toStored } from './records.ts';

const rules = createTopicRules([
  { match: 'state', state: true },
  { match: 'bounded', retention: { events: 1 } },
]);

const text = fc.string({ unit: 'grapheme', maxLength: 12 });
const event: fc.Arbitrary<NewEvent> = fc.record({
  topics: fc.constantFrom<[string, ...string[]]>(['a'], ['b', 'a'], ['ö', '😀'], ['state'], ['bounded']),
  type: fc.option(fc.constantFrom('x', 'größer'), { nil: undefined }),
  data: fc.oneof(text, fc.constant('x'.repeat(9000)), fc.constant('é'.repeat(3000))),
  id: fc.option(fc.constantFrom('i', 'j'), { nil: undefined }),
  key: fc.option(fc.constant('k'), { nil: undefined }),
  private: fc.boolean(),
  tombstone: fc.constant(false),
});
const calls = fc.array(fc.array(event, { maxLength: 80 }), { maxLength: 4 });

const ARGUMENTS = 6;

/** The entry of the stream that the script makes of a pack. */
function stored(
  [t = '', h = '', d = '', i = '', , special = '']: readonly string[],
  last: number,
): LogEntries {
  const [, n = '', f = ''] = /^\*(\d+)(.*)$/.exec(special) ?? [];
  return toStored([`${last}-0`, ['n', n, 'm', '7', 't', t, 's', '0', 'h', h, 'd', d, 'i', i, 'f', f]])
    .entries;
}
type LogEntries = ReturnType<typeof toStored>['entries'];

test('A pack has its events as they were published, and all of a batch are in it once and in order', () => {
  fc.assert(
    fc.property(calls, (given) => {
      const events = given.flat();
      const { args, counts } = toBatch(
        events,
        given.map((call) => call.length),
        rules,
      );
      expect(args).toHaveLength(counts.length * ARGUMENTS);
      let seq = 0;
      for (const [item, count] of counts.entries()) {
        const own = args.slice(item * ARGUMENTS, (item + 1) * ARGUMENTS);
        const expected = events.slice(seq, seq + count).map((each, i) => entryOf(each, seq + i + 1, 7));
        seq += count;
        if (count > 1) expect(stored(own, seq)).toEqual(expected);
        // Entries that the script itself changes, or that would make a pack large, are by themselves.
        else expect(own.at(-1)?.startsWith('*')).toBe(false);
        if (count > 1) expect(own[2]?.length).toBeLessThanOrEqual(8192);
      }
      expect(seq).toBe(events.length);
    }),
    { numRuns: 200 },
  );
});

test('Each event gets its answer, whether it is in a pack or by itself', () => {
  const of = (data: string, more: Partial<NewEvent> = {}): NewEvent => ({
    topics: ['a'],
    type: undefined,
    data,
    id: undefined,
    key: undefined,
    private: false,
    tombstone: false,
    ...more,
  });
  const state = { topics: ['state'], key: 'k', ifSeq: 3 } as const;
  const events = [of('1'), of('2'), of('3'), of('4'), of('5', state), of('6'), of('7')];
  const batch = toBatch(events, [1, 1, 3, 2], rules);
  expect([batch.counts, batch.calls]).toEqual([
    [2, 2, 1, 2],
    [1, 2, 1],
  ]);
  const seqsOf = (texts: readonly string[]): unknown[] =>
    toAnswers(texts, batch, events).map((each) => ('seq' in each ? each.seq : [each.code, each.details]));
  expect(seqsOf(['11', '13', '15', '16;-4'])).toEqual([11, 12, 13, 14, 15, 16, 4]);
  const conflict = ['event/conflict', expect.objectContaining({ seq: 9 })];
  expect(seqsOf(['11', 'x1,9', 'x1,9', '13'])).toEqual([11, 12, conflict, conflict, conflict, 13, 14]);
});
