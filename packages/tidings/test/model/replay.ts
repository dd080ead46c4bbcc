import fc from 'fast-check';
import { expect } from 'vitest';
import { type ManualClock, createManualClock } from '../../src/testing/manual-clock.ts';
import { TUNING } from '../../src/hub/delivery/tuning.ts';
import { startHub } from '../../src/hub/hub.ts';
import { sizeOf } from '../../src/log/entry.ts';
import type { Retention } from '../../src/log/retention.ts';
import { matcherKey } from '../../src/protocol/matcher.ts';
import { type EventLog, type Gap, type Matcher, createMatcherSet } from '../internals.ts';
import { Peer } from '../peer.ts';
import { SMALLEST } from './check.ts';

interface Published {
  readonly topics: readonly string[];
  readonly private: boolean;
  readonly size: number;
  /** Milliseconds since the event before. */
  readonly later: number;
}

interface Question {
  readonly topics: readonly Matcher[];
  readonly granted: readonly Matcher[];
  /** How many events before the head the cursor is; `earliest` where there are not so many. */
  readonly back: number;
  readonly capacity: number;
  /** Bytes that arrive before the connection breaks. */
  readonly arrive: number;
}

const topic = fc.constantFrom('a', 'b', 'user/1', 'user/2');
const matcher: fc.Arbitrary<Matcher> = fc.oneof(
  topic,
  fc.constantFrom({ pattern: 'user/:id' }, { pattern: '*' }, { pattern: '*/2' }, { pattern: 'none/*' }),
);
const matchers = fc.uniqueArray(matcher, { minLength: 1, maxLength: 4, selector: matcherKey });
const events = fc.array(
  fc.record({
    topics: fc.uniqueArray(topic, { minLength: 1, maxLength: 2 }),
    private: fc.boolean(),
    size: fc.constantFrom(1, 10, 400),
    later: fc.constantFrom(0, 0, 100, 1000),
  }),
  { maxLength: 80, size: 'max' },
);
const bounds: fc.Arbitrary<Retention> = fc.record(
  {
    events: fc.constantFrom(0, 1, 2, 5, 20, Infinity),
    bytes: fc.constantFrom(0, 300, 2000, 8000, Infinity),
    age: fc.constantFrom(0, 500, 3000, Infinity),
  },
  { requiredKeys: [] },
);
const question: fc.Arbitrary<Question> = fc.record({
  topics: matchers,
  granted: fc.oneof(fc.constant([]), matchers),
  back: fc.nat(90),
  capacity: fc.constantFrom(1, 500, 1e9),
  arrive: fc.constantFrom(0, 150, 600, 3000),
});

/**
 * With any log and any bounds, a connection gets exactly the newest events that match and are within
 * the bounds, and its welcome names exactly the matchers that older events match. That stays true if it breaks on the way.
 */
export async function checkReplay(
  runs: number,
  open: (clock: ManualClock) => EventLog,
  settle: () => Promise<void>,
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(
      events,
      bounds,
      fc.array(question, { minLength: 1, maxLength: 4 }),
      fc.boolean(),
      async (published, replay, questions, inSmallSteps) => {
        const clock = createManualClock();
        const log = open(clock);
        const failures: unknown[] = [];
        const hub = startHub(
          { log, clock, replay, random: () => 0.5, onError: (error) => failures.push(error) },
          inSmallSteps ? SMALLEST : TUNING,
        );
        const times: number[] = [];
        for (const [i, event] of published.entries()) {
          clock.advance(event.later);
          const { topics, private: isPrivate } = event;
          times.push(clock.now());
          await hub.publish(topics, dataOf(i, event), { private: isPrivate, raw: true });
        }
        const until = async (isDone: () => boolean): Promise<void> => {
          for (let round = 0; round < 500 && !isDone(); round += 1) {
            clock.tick();
            await settle();
          }
        };
        for (const each of questions) {
          const peer = new Peer(each);
          const from = published.length - each.back;
          const cursor = from < 0 ? 'earliest' : `${log.tail.epoch}.${from}`;
          const expected = expectedFor(each, published, times, clock.now(), replay);
          peer.connect(hub, cursor);
          const isOver = (): boolean => peer.connection?.info.phase === 'live' && peer.inFlight === 0;
          await until(() => peer.inFlight > 0 || isOver());
          peer.receive(each.arrive);
          peer.drop();
          // Where a snapshot is due, which is empty here, the welcome has no cursor yet.
          peer.connect(hub, (peer.lastEventId ?? '') === '' ? cursor : undefined);
          await until(() => {
            peer.receive();
            return isOver();
          });
          expect(peer.received.map(({ data }) => data)).toEqual(expected.delivered);
          // A connection that was cut off before its welcome is told in the next one.
          const [welcome] = peer.events;
          const { gaps, resumed } = JSON.parse(welcome?.data ?? '') as { gaps: Gap[]; resumed: boolean };
          const told = gaps.flatMap(({ topics }) => topics);
          expect(told.map(matcherKey).sort()).toEqual(expected.skipped.map(matcherKey).sort());
          expect(gaps.every(({ reason }) => reason === 'trimmed')).toBe(true);
          expect(resumed).toBe(cursor !== 'earliest' && gaps.length === 0);
          peer.drop();
        }
        expect(failures).toEqual([]);
        await hub.close();
      },
    ),
    { numRuns: runs },
  );
}

function dataOf(i: number, { size }: Published): string {
  return `${i}:${'x'.repeat(size)}`;
}

function expectedFor(
  { topics, granted, back }: Question,
  published: readonly Published[],
  times: readonly number[],
  now: number,
  { events: most = 10_000, bytes: mostBytes = 8_388_608, age = Infinity }: Retention,
): { readonly delivered: readonly string[]; readonly skipped: readonly Matcher[] } {
  const wanted = createMatcherSet(topics);
  const grants = createMatcherSet(granted);
  const matching = [...published.entries()].filter(
    ([i, event]) =>
      i >= published.length - back &&
      wanted.matches(event.topics) &&
      (!event.private || grants.matches(event.topics)),
  );
  let bytes = 0;
  const isOver = ([i, event]: readonly [number, Published], place: number): boolean => {
    bytes += sizeOf({ data: dataOf(i, event), topics: event.topics } as never);
    return place >= most || bytes > mostBytes || now - (times[i] ?? 0) > age;
  };
  const newest = matching.toReversed();
  const cut = newest.findIndex(isOver);
  const delivered = (cut === -1 ? newest : newest.slice(0, cut)).toReversed();
  const older = cut === -1 ? [] : newest.slice(cut);
  const skipped = topics.filter((each) => {
    const set = createMatcherSet([each]);
    return older.some(([, event]) => set.matches(event.topics));
  });
  return { delivered: delivered.map(([i, event]) => dataOf(i, event)), skipped };
}
