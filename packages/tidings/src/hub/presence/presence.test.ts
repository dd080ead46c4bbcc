import { describe, expect, test } from 'vitest';
import type { EventLog } from '../../log/event-log.ts';
import { memoryLog } from '../../logs/memory/index.ts';
import { createMatcherSet } from '../../protocol/matcher-set.ts';
import { createManualClock } from '../../testing/manual-clock.ts';
import type { Clock } from '../clock.ts';
import { type PresenceRule, PresenceTracker } from './presence.ts';
import { PlacesLimit, PresenceRules } from './rules.ts';

const RULES = [{ match: { pattern: 'room/*' }, grace: 100, interval: 10, members: 1 }];

function startTracker(
  rules: readonly PresenceRule[],
  log: EventLog,
  clock: Clock,
  report: (error: unknown) => void,
  most = Infinity,
): PresenceTracker {
  return new PresenceTracker(
    new PresenceRules(rules),
    log,
    clock,
    report,
    new PlacesLimit({ presenceTopics: most }, report),
  );
}

function start(log: EventLog = memoryLog(), rules: readonly PresenceRule[] = RULES) {
  const clock = createManualClock();
  const failures: unknown[] = [];
  const tracker = startTracker(rules, log, clock, (error) => failures.push(error));
  return { tracker, log, clock, failures };
}

/** The presence that a page connecting now would be shown, by topic. */
async function shown(log: EventLog): Promise<ReadonlyMap<string, unknown>> {
  const matchers = createMatcherSet([{ pattern: 'presence/*' }]);
  const limit = { events: 10_000, length: Infinity };
  const query = { after: 0, wants: () => true, matchers, limit, snapshot: true };
  const { entries } = await log.read(query);
  return new Map(entries.map(({ topics, data }) => [topics[0], JSON.parse(data) as unknown]));
}

describe('presence', () => {
  test('is taken over for more topics than are read at once, and deleted where no rule is left', async () => {
    const topics = Array.from({ length: 1200 }, (_, i) => `room/${i}`);
    const before = start();
    before.tracker.join(topics, { id: 'ann' });
    before.clock.advance(10);
    expect((await shown(before.log)).size).toBe(1200);
    before.tracker.stop();

    const even = topics.filter((_, i) => i % 2 === 0);
    const rules = even.map((match) => ({ match, grace: 100, interval: 10, members: 1 }));
    const after = start(before.log, rules);
    // Each page of states takes a few steps.
    for (let i = 0; i < 100; i += 1) await Promise.resolve();
    expect([...(await shown(after.log)).keys()]).toEqual(even.map((topic) => `presence/${topic}`));
    after.tracker.join(['room/0'], { id: 'ann' });
    after.clock.advance(100);
    expect(await shown(after.log)).toEqual(
      new Map([['presence/room/0', { topic: 'room/0', count: 1, members: [{ id: 'ann' }] }]]),
    );
    expect(after.failures).toEqual([]);
  });

  test('counts a member whose data isn’t JSON, leaves the data out and reports it', async () => {
    const { tracker, log, clock, failures } = start();
    tracker.join(['room/1', 'room/2', 'elsewhere'], { id: 'ann', data: 1n });
    expect(failures).toEqual([expect.any(TypeError)]);
    clock.advance(10);
    expect((await shown(log)).get('presence/room/2')).toEqual({
      topic: 'room/2',
      count: 1,
      members: [{ id: 'ann' }],
    });
  });

  test('announces nothing once it is stopped, and leaves no timer', async () => {
    const { tracker, log, clock } = start();
    tracker.join(['room/1'], { id: 'ann' });
    tracker.stop();
    tracker.leave(['room/1'], 'ann');
    tracker.join(['room/2'], { id: 'bob' });
    expect(clock.timers).toBe(0);
    clock.advance(1000);
    expect((await shown(log)).size).toBe(0);
  });

  test('takes no memory for a topic that everybody has left', () => {
    const { tracker, clock } = start();
    tracker.join(['room/1'], { id: 'ann' });
    expect(tracker.topics).toBe(1);
    tracker.leave(['room/1'], 'ann');
    clock.advance(110);
    expect(tracker.topics).toBe(0);
    expect(clock.timers).toBe(0);
  });

  test('is counted on a bounded number of topics, and says once that others are not', () => {
    const failures: unknown[] = [];
    const clock = createManualClock();
    const tracker = startTracker(RULES, memoryLog(), clock, (error) => failures.push(error), 2);
    for (let i = 0; i < 5; i += 1) tracker.join([`room/${i}`], { id: 'ann' });
    expect(tracker.topics).toBe(2);
    expect(failures).toEqual([expect.objectContaining({ code: 'limit/topics' })]);
    tracker.leave(['room/0', 'room/4'], 'ann');
    clock.advance(1000);
    tracker.join(['room/4'], { id: 'ann' });
    expect(tracker.of('room/4').count, 'there is room again').toBe(1);
    tracker.stop();
  });
});
