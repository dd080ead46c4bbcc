import { expect, test } from 'vitest';
import { entryOf } from '../../log/entry.ts';
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
