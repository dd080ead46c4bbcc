import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cpuTime } from '../../../../scripts/deadline.ts';
import { collectGarbage } from '../../test/collect-garbage.ts';
import type { Matcher } from '../protocol/matcher.ts';
import { createMatcherSet } from '../protocol/matcher-set.ts';
import { type LogEntry, sizeOf } from './entry.ts';
import type { PageLimit } from './page.ts';
import type { Retention } from './retention.ts';
import { AGED_STEP, Tail } from './tail.ts';
import { frameOf } from '../hub/delivery/frames.ts';

function entry(seq: number, { topic = 'a', data = 'x', time = 0 } = {}): LogEntry {
  const rest = {
    type: undefined,
    id: undefined,
    key: undefined,
    tombstone: false,
    private: false,
    frame: undefined,
  };
  return { topics: [topic], data, seq, time, ...rest };
}

function filled(count: number, retention: Retention = {}, onTrim?: (entry: LogEntry) => void): Tail {
  const tail = new Tail({ epoch: 'e', retention, ...(onTrim === undefined ? {} : { onTrim }) });
  for (let seq = 1; seq <= count; seq += 1) tail.push([entry(seq)]);
  return tail;
}

const all = (): boolean => true;
const everything = createMatcherSet([{ pattern: '*' }]);
const noLimit: PageLimit = { events: Infinity, length: Infinity };

function seqs(entries: readonly LogEntry[]): number[] {
  return entries.map(({ seq }) => seq);
}

describe('a tail', () => {
  test('that is empty can be read from its head', () => {
    const tail = new Tail({ epoch: 'e', retention: {}, head: 41 });
    expect([tail.head, tail.floor, tail.length, tail.bytes]).toEqual([41, 41, 0, 0]);
    expect(tail.read(41, all, noLimit, everything)).toEqual({ entries: [], next: 41 });
    tail.push([entry(42)]);
    expect([tail.head, tail.floor, tail.length]).toEqual([42, 41, 1]);
  });

  test('can end with seqs of events that are no longer in the log', () => {
    const tail = filled(2);
    const pushed: number[][] = [];
    tail.onPush((entries) => pushed.push(seqs(entries)));
    tail.push([entry(4)], 6);
    tail.push([], 7);
    expect([tail.head, tail.floor, tail.length]).toEqual([7, 0, 3]);
    expect(tail.read(0, all, noLimit, everything)).toMatchObject({ next: 7 });
    tail.push([entry(8)]);
    expect(seqs(tail.read(3, all, noLimit, everything).entries)).toEqual([4, 8]);
    expect(pushed).toEqual([[4], [8]]);
  });

  test('can be read to the end in pages that look at few entries and names, and no page looks at more', () => {
    const topics = ['a', 'b', 'c/1', 'c/2', 'd'];
    const matchers = fc.subarray<Matcher>(['a', 'd', { pattern: 'c/*' }, { pattern: '*2' }, 'none'], {
      minLength: 1,
    });
    const history = fc.array(fc.constantFrom(...topics), { maxLength: 60 });
    fc.assert(
      fc.property(history, matchers, fc.integer({ min: 1, max: 12 }), (names, wanted, looks) => {
        const tail = new Tail({ epoch: 'e', retention: {} });
        for (const [i, topic] of names.entries()) tail.push([entry(i + 1, { topic })]);
        const set = createMatcherSet(wanted);
        const found: number[] = [];
        for (let after = 0; after < tail.head;) {
          let looked = 0;
          const wants = (each: LogEntry): boolean => {
            looked += 1;
            return set.matches(each.topics);
          };
          const page = tail.read(after, wants, { ...noLimit, looks }, set);
          expect(looked).toBeLessThanOrEqual(looks);
          expect(page.next).toBeGreaterThan(after);
          found.push(...seqs(page.entries));
          after = page.next;
        }
        expect(found).toEqual(names.flatMap((topic, i) => (set.matchesTopic(topic) ? [i + 1] : [])));
      }),
      { numRuns: 500 },
    );
  });

  test('can skip ahead, and says so while its head is still before the missing events', () => {
    const trimmed: number[] = [];
    const tail = filled(3, {}, ({ seq }) => trimmed.push(seq));
    const told: unknown[] = [];
    const stop = tail.onMiss((topics) => told.push([topics, tail.head, tail.floor]));
    tail.skip(9);
    expect([tail.head, tail.floor, tail.length, tail.bytes]).toEqual([9, 9, 0, 0]);
    expect(tail.read(9, all, noLimit, everything)).toEqual({ entries: [], next: 9 });
    tail.push([entry(10)]);
    expect(seqs(tail.read(9, all, noLimit, everything).entries)).toEqual([10]);
    tail.miss(['a']);
    stop();
    tail.miss();
    expect(told).toEqual([
      [undefined, 3, 0],
      [['a'], 10, 9],
    ]);
    expect(trimmed).toEqual([1, 2, 3]);
  });

  test('gives the entries after a cursor, and the head as the next one', () => {
    const tail = filled(5);
    expect(seqs(tail.read(0, all, noLimit, everything).entries)).toEqual([1, 2, 3, 4, 5]);
    expect(seqs(tail.read(3, all, noLimit, everything).entries)).toEqual([4, 5]);
    expect(tail.read(5, all, noLimit, everything)).toEqual({ entries: [], next: 5 });
    expect(tail.read(2, () => false, noLimit, everything)).toEqual({ entries: [], next: 5 });
  });

  test('ends a page with the entry that fills it, and goes on right behind', () => {
    const tail = filled(5);
    const page = tail.read(1, ({ seq }) => seq !== 3, { events: 2, length: Infinity }, everything);
    expect(seqs(page.entries)).toEqual([2, 4]);
    expect(page.next).toBe(4);
    expect(seqs(tail.read(page.next, all, noLimit, everything).entries)).toEqual([5]);
  });

  test('gives one entry at least, however large, and stops as soon as the length is reached', () => {
    const tail = new Tail({ epoch: 'e', retention: {} });
    tail.push([entry(1, { data: 'x'.repeat(100) }), entry(2), entry(3, { data: '' }), entry(4)]);
    expect(tail.read(0, all, { events: 10, length: 50 }, everything)).toMatchObject({ next: 1 });
    expect(seqs(tail.read(1, all, { events: 10, length: 2 }, everything).entries)).toEqual([2, 3, 4]);
  });

  test('calls its listeners with every pushed entry, even those that retention takes at once', () => {
    const tail = filled(0, { events: 1 });
    const pushed: number[][] = [];
    const stop = tail.onPush((entries) => pushed.push(seqs(entries)));
    tail.push([entry(1), entry(2)]);
    tail.push([]);
    stop();
    tail.push([entry(3)]);
    expect(pushed).toEqual([[1, 2]]);
    expect([tail.length, tail.floor]).toEqual([1, 2]);
  });
});

describe('retention of a tail', () => {
  test('by count keeps that many', () => {
    const trimmed: number[] = [];
    const tail = filled(5, { events: 2 }, ({ seq }) => trimmed.push(seq));
    expect(seqs(tail.read(tail.floor, all, noLimit, everything).entries)).toEqual([4, 5]);
    expect(trimmed).toEqual([1, 2, 3]);
  });

  test('by bytes keeps no more than that, even if it has to drop everything', () => {
    const bytes = sizeOf(entry(1)) * 3;
    const tail = filled(10, { bytes });
    expect([tail.length, tail.bytes]).toEqual([3, bytes]);
    tail.push([entry(11, { data: 'x'.repeat(1000) })]);
    expect([tail.length, tail.bytes, tail.floor, tail.head]).toEqual([0, 0, 11, 11]);
  });

  test('counts text at its length, topics too, and something for the entry itself', () => {
    expect(sizeOf(entry(1, { data: 'x'.repeat(500), topic: 'y'.repeat(30) }))).toBeGreaterThan(530);
    expect(sizeOf(entry(1, { data: '', topic: 'y' }))).toBeGreaterThan(50);
  });

  test('by age drops older entries, not those exactly as old', () => {
    const tail = filled(0, { age: 100 });
    tail.push([entry(1, { time: 1000 })]);
    tail.push([entry(2, { time: 1050 })]);
    tail.trim(1100);
    expect(tail.floor).toBe(0);
    tail.trim(1101);
    expect(tail.floor).toBe(1);
    // Also when something comes, without being asked.
    tail.push([entry(3, { time: 1151 })]);
    expect(tail.floor).toBe(2);
  });

  test('works with a wall clock that goes back', () => {
    const tail = filled(0, { age: 100 });
    tail.push([entry(1, { time: 1000 })]);
    tail.push([entry(2, { time: 10 })]);
    tail.trim(20);
    expect(tail.length).toBe(2);
    tail.trim(1101);
    expect(tail.length).toBe(0);
  });

  test.each<Retention>([{ events: 0 }, { bytes: 0 }])('of nothing keeps nothing: %o', (retention) => {
    const tail = filled(3, retention);
    expect([tail.length, tail.bytes, tail.floor, tail.head]).toEqual([0, 0, 3, 3]);
  });
});

describe('an event’s frame', () => {
  test('is made once and is the same object for everyone', () => {
    const one = entry(7, { data: 'x\ny' });
    const frame = frameOf(one, 'epoch');
    expect(new TextDecoder().decode(frame)).toBe('id: epoch.7\ndata: x\ndata: y\n\n');
    expect(frameOf(one, 'epoch')).toBe(frame);
  });
});

/** The plainest thing that could be right: a map, searched from end to end. */
class Model {
  head = 0;
  floor = 0;
  readonly kept = new Map<number, LogEntry>();
  readonly trimmed: number[] = [];
  readonly #retention: Required<Retention>;

  constructor(retention: Required<Retention>) {
    this.#retention = retention;
  }

  get bytes(): number {
    return [...this.kept.values()].reduce((total, each) => total + sizeOf(each), 0);
  }

  push(entries: readonly LogEntry[]): void {
    for (const each of entries) this.kept.set(each.seq, each);
    this.head = entries.at(-1)?.seq ?? this.head;
    if (entries.length > 0) this.trim(entries.at(-1)?.time ?? 0, Math.max(AGED_STEP, entries.length));
  }

  trim(now: number, most = Infinity): void {
    const { events, bytes, age } = this.#retention;
    let aged = 0;
    for (; this.floor < this.head; this.floor += 1) {
      const oldest = this.kept.get(this.floor + 1);
      if (oldest === undefined) continue;
      if (this.kept.size <= events && this.bytes <= bytes) {
        if (now - oldest.time <= age || aged === most) break;
        aged += 1;
      }
      this.kept.delete(oldest.seq);
      this.trimmed.push(oldest.seq);
    }
  }

  read(after: number, topic: string, limit: PageLimit): { seqs: number[]; next: number } {
    const wanted = [...this.kept.values()].filter(({ seq, topics }) => seq > after && topics.includes(topic));
    let length = 0;
    for (const [i, each] of wanted.entries()) {
      length += each.data.length;
      const full = i + 1 >= limit.events || length >= limit.length;
      if (full) return { seqs: seqs(wanted.slice(0, i + 1)), next: each.seq };
    }
    return { seqs: seqs(wanted), next: this.head };
  }
}

const topic = fc.constantFrom('a', 'b');
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('push' as const),
      entries: fc.array(
        fc.record({ topic, length: fc.constantFrom(0, 10, 300), seqGap: fc.constantFrom(0, 0, 0, 2) }),
        {
          maxLength: 6,
        },
      ),
      later: fc.integer({ min: -20, max: 60 }),
    }),
  },
  // More than the array keeps before it is cut.
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('flood' as const), count: fc.constantFrom(700, 1500, 4000) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('trim' as const), later: fc.integer({ min: 0, max: 200 }) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('remove' as const), back: fc.nat(20) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('read' as const),
      back: fc.nat(30),
      topic,
      events: fc.constantFrom(1, 2, 5, Infinity),
      length: fc.constantFrom(1, 50, Infinity),
    }),
  },
);

test('a tail equals an array of all events, cut at the front', { timeout: 60_000 }, () => {
  const retentions = fc.record({
    events: fc.constantFrom(0, 1, 7, 900, Infinity),
    bytes: fc.constantFrom(500, 3000, Infinity),
    age: fc.constantFrom(50, Infinity),
  });
  fc.assert(
    fc.property(
      retentions,
      fc.array(step, { minLength: 1, maxLength: 40, size: 'max' }),
      (retention, steps) => {
        const model = new Model(retention);
        const trimmed: number[] = [];
        const tail = new Tail({ epoch: 'e', retention, onTrim: ({ seq }) => trimmed.push(seq) });
        let now = 1000;
        const push = (entries: LogEntry[]): void => {
          tail.push(entries);
          model.push(entries);
        };
        for (const action of steps) {
          if (action.do === 'push') {
            now += action.later;
            let seq = tail.head;
            push(
              action.entries.map(({ topic: name, length, seqGap }) => {
                seq += 1 + seqGap;
                return entry(seq, { topic: name, data: 'x'.repeat(length), time: now });
              }),
            );
          } else if (action.do === 'flood') {
            for (let i = 0; i < action.count; i += 100) {
              const first = tail.head + 1;
              push(Array.from({ length: 100 }, (_, k) => entry(first + k, { time: now, data: '' })));
            }
          } else if (action.do === 'trim') {
            now += action.later;
            tail.trim(now);
            model.trim(now);
          } else if (action.do === 'remove') {
            const seq = tail.head - action.back;
            expect(tail.remove(seq)).toBe(model.kept.get(seq));
            model.kept.delete(seq);
          } else {
            const after = Math.max(tail.floor, tail.head - action.back);
            const wants = ({ topics }: LogEntry): boolean => topics.includes(action.topic);
            const page = tail.read(after, wants, action, createMatcherSet([action.topic]));
            expect({ seqs: seqs(page.entries), next: page.next }).toEqual(
              model.read(after, action.topic, action),
            );
          }
          expect([tail.head, tail.floor, tail.length, tail.bytes]).toEqual([
            model.head,
            model.floor,
            model.kept.size,
            model.bytes,
          ]);
        }
        expect(trimmed).toEqual(model.trimmed);
      },
    ),
    { numRuns: 60 },
  );
});

describe('a tail with few entries left', () => {
  test('takes no time and no memory for missing seqs', () => {
    const tail = filled(3);
    const started = cpuTime();
    tail.push([entry(2 ** 40)], 2 ** 41);
    expect([tail.head, tail.floor, tail.length]).toEqual([2 ** 41, 0, 4]);
    expect(seqs(tail.read(3, all, noLimit, everything).entries)).toEqual([2 ** 40]);
    expect(tail.read(2 ** 40, all, noLimit, everything)).toEqual({ entries: [], next: 2 ** 41 });
    expect(cpuTime() - started).toBeLessThan(1000);
  });

  test('takes no memory for removed entries', { timeout: 60_000 }, () => {
    collectGarbage();
    const before = process.memoryUsage().heapUsed;
    const tail = filled(0);
    // Twelve keys of a state, each superseded again and again.
    for (let seq = 1; seq <= 2_000_000; seq += 1) {
      tail.push([entry(seq)]);
      if (seq > 12) tail.remove(seq - 12);
    }
    expect(tail.length).toBe(12);
    collectGarbage();
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(16_000_000);
    expect(seqs(tail.read(tail.head - 3, all, noLimit, everything).entries)).toHaveLength(3);
  });

  test('replaces an entry, and finds it under its new topics', () => {
    const tail = filled(3);
    const { bytes } = tail;
    tail.replace(entry(2, { topic: 'other' }));
    tail.replace(entry(9, { topic: 'other' }));
    expect([tail.length, tail.bytes]).toEqual([3, bytes + 4]);
    expect(
      seqs(
        tail.read(0, ({ topics }) => topics.includes('other'), noLimit, createMatcherSet(['other'])).entries,
      ),
    ).toEqual([2]);
    expect(seqs(tail.read(0, all, noLimit, everything).entries)).toEqual([1, 2, 3]);
  });

  test('counts against its bounds only the entries that should count', () => {
    const trimmed: number[] = [];
    const counts = ({ topics }: LogEntry): boolean => topics[0] !== 'free';
    const tail = new Tail({
      epoch: 'e',
      retention: { events: 2 },
      counts,
      onTrim: ({ seq }) => trimmed.push(seq),
    });
    tail.push([entry(1), entry(2)]);
    for (let seq = 3; seq <= 9; seq += 1) tail.push([entry(seq, { topic: 'free' })]);
    expect([tail.length, trimmed]).toEqual([9, []]);
    tail.push([entry(10)]);
    expect(trimmed).toEqual([1]);
    tail.replace(entry(3));
    tail.trim(0);
    expect(trimmed).toEqual([1, 2]);
  });
});
