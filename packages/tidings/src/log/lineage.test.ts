import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Lineage, extendLineage, locate } from './lineage.ts';

const lineage: Lineage = [
  { epoch: 'a', end: 10 },
  { epoch: 'b', end: 8 },
  { epoch: 'c', end: 30 },
];
const log = { epoch: 'd', head: 40, lineage };

describe('a cursor in a log that has begun new epochs', () => {
  test.each([
    ['d', 40, { is: 'known', seq: 40 }],
    ['d', 41, { is: 'ahead', seq: 41 }],
    ['c', 30, { is: 'known', seq: 30 }],
    ['c', 31, { is: 'rewound', seq: 30 }],
    ['b', 8, { is: 'known', seq: 8 }],
    ['b', 9, { is: 'rewound', seq: 8 }],
    ['a', 8, { is: 'known', seq: 8 }],
    // The first epoch handed it on, but the second one lost it.
    ['a', 9, { is: 'rewound', seq: 8 }],
    ['x', 1, { is: 'foreign' }],
  ])('%s.%i', (epoch, seq, standing) => {
    expect(locate({ epoch, seq }, log)).toEqual(standing);
  });

  test('is known exactly as far as the log still has the events it was given', () => {
    const history = fc.array(fc.record({ appended: fc.nat(5), lost: fc.nat(8) }), { maxLength: 12 });
    fc.assert(
      fc.property(history, (epochs) => {
        // Each event is an object of its own; a cursor has seen the list of them up to its seq.
        let events: object[] = [];
        let past: Lineage = [];
        const given: { epoch: string; events: readonly object[] }[] = [];
        for (const [i, { appended, lost }] of epochs.entries()) {
          for (let n = 0; n <= appended; n += 1) {
            given.push({ epoch: `${i}`, events });
            events = [...events, {}];
          }
          events = events.slice(0, Math.max(0, events.length - lost));
          past = extendLineage(past, `${i}`, events.length);
        }
        const now = { epoch: 'now', head: events.length, lineage: past };
        for (const { epoch, events: seen } of given) {
          const common = seen.findIndex((event, i) => event !== events[i]);
          const seq = common === -1 ? seen.length : common;
          const standing = locate({ epoch, seq: seen.length }, now);
          expect(standing).toEqual({ is: common === -1 ? 'known' : 'rewound', seq });
        }
      }),
    );
  });

  test('forgets the oldest epochs', () => {
    let long: Lineage = [];
    for (let i = 0; i < 1000; i += 1) long = extendLineage(long, `e${i}`, i);
    expect(long.length).toBeLessThan(1000);
    expect(locate({ epoch: 'e0', seq: 0 }, { epoch: 'x', head: 1000, lineage: long })).toEqual({
      is: 'foreign',
    });
    expect(locate({ epoch: 'e999', seq: 999 }, { epoch: 'x', head: 1000, lineage: long })).toEqual({
      is: 'known',
      seq: 999,
    });
  });
});
