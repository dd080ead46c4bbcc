import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Matcher } from '../protocol/matcher.ts';
import { createMatcherSet } from '../protocol/matcher-set.ts';
import type { LogEntry } from './entry.ts';
import type { PageLimit } from './page.ts';
import { Tail } from './tail.ts';

const topic = fc.constantFrom('a', 'b', 'c', 'room/1', 'room/2', 'room/3/x');
const topics = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(topic) },
  fc.tuple(topic, topic),
  // One topic each, to have many.
  fc.nat(5000).map((n): [string] => [`many/${n}`]),
);
const matcher: fc.Arbitrary<Matcher> = fc.oneof(
  topic,
  fc.constantFrom('*', 'room/:id', 'room/*', 'many/1*').map((pattern) => ({ pattern })),
);
const noLimit: PageLimit = { events: Infinity, length: Infinity };

function toEntry(seq: number, [first, ...others]: readonly [string, ...string[]]): LogEntry {
  const rest = { type: undefined, id: undefined, key: undefined, tombstone: false, private: false };
  return { seq, time: 0, topics: [first, ...others], data: 'x', frame: undefined, ...rest };
}

test('The index finds the same events as a full scan, whatever was removed or trimmed', () => {
  fc.assert(
    fc.property(
      fc.array(topics, { minLength: 1, maxLength: 600, size: 'max' }),
      fc.array(fc.nat(600), { maxLength: 200, size: 'max' }),
      fc.constantFrom(50, 300, Infinity),
      fc.array(
        fc.tuple(
          fc.array(matcher, { minLength: 1, maxLength: 4 }),
          fc.nat(600),
          fc.constantFrom(1, 7, Infinity),
        ),
        {
          maxLength: 20,
        },
      ),
      (published, removed, events, reads) => {
        const tail = new Tail({ epoch: 'e', retention: { events } });
        for (const [i, each] of published.entries()) tail.push([toEntry(i + 1, each)]);
        const before = tail.read(
          tail.floor,
          () => true,
          noLimit,
          createMatcherSet([{ pattern: '*' }]),
        ).entries;
        const kept = before.filter(({ seq }) => !removed.includes(seq));
        for (const seq of removed) tail.remove(seq);
        for (const [matchers, back, most] of reads) {
          const wanted = createMatcherSet(matchers);
          const after = Math.max(tail.floor, tail.head - back);
          const wants = (entry: LogEntry): boolean => wanted.matches(entry.topics);
          const page = tail.read(after, wants, { events: most, length: Infinity }, wanted);
          const expected = kept.filter((entry) => entry.seq > after && wants(entry)).slice(0, most);
          expect(page.entries).toEqual(expected);
          expect(page.next).toBe(expected.length === most ? expected.at(-1)?.seq : tail.head);
          const limit = { events: most, length: Infinity };
          const pageBack = tail.readBack(tail.head + 1, after, wants, limit, wanted);
          const newest = kept.filter((entry) => entry.seq > after && wants(entry)).toReversed();
          expect(pageBack.entries).toEqual(newest.slice(0, most));
          expect(pageBack.next).toBe(newest.length >= most ? newest[most - 1]?.seq : after + 1);
        }
      },
    ),
    { numRuns: 300 },
  );
});

test('A quiet topic’s events are found without looking at others', () => {
  const tail = new Tail({ epoch: 'e', retention: {} });
  let seq = 0;
  for (let i = 0; i < 10; i += 1) {
    const others = Array.from({ length: 1000 }, () => toEntry((seq += 1), ['busy']));
    tail.push([...others, toEntry((seq += 1), ['quiet'])]);
  }
  let looked = 0;
  for (const matchers of [['quiet'], [{ pattern: 'qui*' }], ['quiet', 'nobody']]) {
    const wants = (): boolean => (looked += 1) > 0;
    expect(tail.read(0, wants, noLimit, createMatcherSet(matchers)).entries).toHaveLength(10);
  }
  expect(looked).toBe(30);
});
