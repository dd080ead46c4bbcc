import { expect, test } from 'vitest';
import { type LogEntry, entryOf } from '../../log/entry.ts';
import type { EventLog } from '../../log/event-log.ts';
import { memoryLog } from '../../logs/memory/index.ts';
import type { Matcher } from '../../protocol/matcher.ts';
import { type MatcherSet, createMatcherSet } from '../../protocol/matcher-set.ts';
import { createManualClock } from '../../testing/manual-clock.ts';
import { frames } from '../delivery/frames.ts';
import { type Subscription, Subscriptions } from '../delivery/subscription.ts';
import { HUB_TOPICS, hubEvent } from './hub-topics.ts';
import { LostEnds } from './lost-ends.ts';

test('A subscriber to topics is compared only with the lost events of these', () => {
  const clock = createManualClock();
  const log = Object.create(memoryLog({ now: clock.now }), {
    lineage: { value: [{ epoch: 'old', end: 0 }] },
  }) as EventLog;
  const subscriptions = new Subscriptions();
  const report = (error: unknown): void => {
    throw error;
  };
  const lostEnds = new LostEnds({ log, clock, subscriptions, append: () => Promise.resolve(), report });
  const events = Array.from({ length: 1000 }, (_, n) => ({
    topics: ['news', `lost/${n}`],
    private: false,
    after: n,
  }));
  const record = hubEvent(HUB_TOPICS.lost, 'old', { end: 0, until: 1000, events });
  lostEnds.apply(entryOf(record, 1, clock.now()));
  let looks = 0;
  const join = (...matchers: readonly Matcher[]): Subscription => {
    const wanted = createMatcherSet(matchers);
    const matches = (topics: readonly string[]): boolean => {
      looks += 1;
      return wanted.matches(topics);
    };
    const counting = Object.create(wanted, { matches: { value: matches } }) as MatcherSet;
    return subscriptions.join(counting, createMatcherSet([]), frames);
  };
  const isConcerned = (...matchers: readonly Matcher[]): boolean =>
    lostEnds.isConcerned({ epoch: 'old', seq: 500 }, join(...matchers));
  // All that come back wait for the same word, and ask in the same turn.
  for (let n = 0; n < 100; n += 1) expect(isConcerned(`user/${n}`, `room/${n}`)).toBe(false);
  expect(looks).toBe(0);
  const concerned = ['news', 'lost/7', 'lost/499', 'lost/500'].map((topic) => isConcerned('other', topic));
  expect(concerned).toEqual([true, true, true, false]);
  expect(looks).toBeLessThan(10);
  expect([isConcerned({ pattern: 'lost/49*' }), isConcerned({ pattern: 'lost/:n' })]).toEqual([true, true]);
  expect(isConcerned({ pattern: 'lost/:n/x' }, 'other')).toBe(false);
});

test('Where thousands may have received lost events, they are judged in turns, and as exactly', async () => {
  const turns: (() => void)[] = [];
  const clock = { ...createManualClock(), defer: (task: () => void) => void turns.push(task) };
  const log = Object.create(memoryLog({ now: clock.now }), { shared: { value: true } }) as EventLog;
  const { epoch } = log.tail;
  const lost = (topics: readonly [string, ...string[]], seq: number): LogEntry => {
    const event = { topics, type: undefined, data: '', id: undefined, key: undefined };
    return entryOf({ ...event, private: false, tombstone: false }, seq, 0);
  };
  const subscriptions = new Subscriptions();
  const options = { log, clock, subscriptions, append: () => Promise.resolve(), report: () => {} };
  const readers = Array.from({ length: 3000 }, (_, n) =>
    subscriptions.join(createMatcherSet(['news', `user/${n}`]), createMatcherSet([]), frames),
  );
  // A thousand on the same topic are looked at as one.
  const same = Array.from({ length: 1000 }, (_, i) => lost(['news'], i + 1));
  expect(new LostEnds(options).note(0, same)?.size).toBe(readers.length);

  log.tail.push([], 500);
  const lostEnds = new LostEnds(options);
  const various = Array.from({ length: 500 }, (_, i) => lost(['news', `lost/${i}`], i + 1));
  expect(lostEnds.note(0, various)).toBeUndefined();
  Object.defineProperty(log, 'lineage', { value: [{ epoch, end: 0 }] });
  let known = 0;
  for (let n = 0; n < readers.length; n += 1)
    void lostEnds.whenKnown({ epoch, seq: 500 }).then(() => (known += 1));
  const inTurns: number[] = [];
  for (let next = turns.splice(0); known < readers.length; next = turns.splice(0)) {
    const before = known;
    for (const task of next) task();
    for (let i = 0; i < 5; i += 1) await Promise.resolve();
    inTurns.push(known - before);
    expect(inTurns.length).toBeLessThan(readers.length);
  }
  expect(Math.max(...inTurns) * various.length).toBeLessThan(100_000);
  const other = subscriptions.join(createMatcherSet([{ pattern: 'user/*' }]), createMatcherSet([]), frames);
  const isConcerned = [...readers.slice(0, 3), other].map((each) =>
    lostEnds.isConcerned({ epoch, seq: 500 }, each),
  );
  expect(isConcerned).toEqual([true, true, true, false]);
});
