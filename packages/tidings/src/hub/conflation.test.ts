import { describe, expect, test } from 'vitest';
import { cpuTime } from '../../../../scripts/deadline.ts';
import { memoryLog } from '../logs/memory/index.ts';
import { createMatcherSet } from '../protocol/matcher-set.ts';
import { toNewEvent } from '../protocol/event.ts';
import { createManualClock } from '../testing/manual-clock.ts';
import { Conflation } from './conflation.ts';
import type { EventLog } from '../log/event-log.ts';

const state = (key: string, data: unknown, id?: string): ReturnType<typeof toNewEvent> =>
  toNewEvent({ topics: 'state', data, key, ...(id === undefined ? {} : { id }) });
const other = (data: unknown): ReturnType<typeof toNewEvent> => toNewEvent({ topics: 'other', data });

/** The data of everything that is in the log. */
async function values(log: EventLog): Promise<unknown[]> {
  const matchers = createMatcherSet([{ pattern: '*' }]);
  const limit = { events: Infinity, length: Infinity };
  const { entries } = await log.read({ after: log.floor, wants: () => true, matchers, limit });
  return entries.map(({ data }) => JSON.parse(data) as unknown);
}

function start(interval = 100): {
  conflation: Conflation;
  log: EventLog;
  clock: ReturnType<typeof createManualClock>;
} {
  const clock = createManualClock();
  const log = memoryLog({ topics: [{ match: 'state', state: true, interval }], now: clock.now });
  return { conflation: new Conflation(log, clock), log, clock };
}

describe('a topic with an interval', () => {
  test('gets its first event at once and the newest of each key when the interval ends', async () => {
    const { conflation, log, clock } = start();
    expect(await conflation.append([state('a', 1)])).toEqual([{ seq: 1, duplicate: false }]);
    const waiting = [
      conflation.append([state('a', 2)]),
      conflation.append([state('b', 3)]),
      conflation.append([state('a', 4)]),
    ];
    clock.advance(99);
    expect(log.tail.head).toBe(1);
    clock.advance(1);
    expect(await Promise.all(waiting)).toEqual([
      [{ seq: 3, duplicate: true }],
      [{ seq: 2, duplicate: false }],
      [{ seq: 3, duplicate: false }],
    ]);
  });

  test('delays no other topic, and answers in the order of the call', async () => {
    const { conflation, clock } = start();
    await conflation.append([state('a', 1)]);
    const appended = conflation.append([other(2), state('a', 3), other(4)]);
    clock.advance(100);
    expect((await appended).map(({ seq }) => seq)).toEqual([2, 4, 3]);
  });

  test('appends what waits before a newer value if the rule has no interval any more', async () => {
    const { conflation, log, clock } = start();
    const rule = { match: 'state', state: true };
    await conflation.append([state('a', 1)]);
    const waiting = conflation.append([state('a', 2), state('b', 3)]);
    log.rules.change([rule]);
    expect(await conflation.append([state('a', 4)])).toEqual([{ seq: 4, duplicate: false }]);
    expect((await waiting).map(({ seq }) => seq)).toEqual([2, 3]);
    clock.advance(1000);
    expect(await values(log)).toEqual([3, 4]);
    expect(clock.timers).toBe(0);
  });

  test('keeps a changed interval from the next one on', async () => {
    const { conflation, log, clock } = start();
    await conflation.append([state('a', 1)]);
    const second = conflation.append([state('a', 2)]);
    log.rules.change([{ match: 'state', state: true, interval: 500 }]);
    clock.advance(100);
    await second;
    const third = conflation.append([state('a', 3)]);
    clock.advance(499);
    expect(log.tail.head).toBe(2);
    clock.advance(1);
    expect(await third).toEqual([{ seq: 3, duplicate: false }]);
  });

  test('has no timer left once it is quiet', async () => {
    const { conflation, clock } = start();
    await conflation.append([state('a', 1)]);
    void conflation.append([state('a', 2)]);
    clock.advance(1000);
    expect(clock.timers).toBe(0);
  });

  test('gives each publisher the log’s error once, and leaves no unhandled rejection', async () => {
    const { conflation, log, clock } = start();
    await conflation.append([state('a', 1)]);
    await log.close();
    // Every event waits, so there is nothing to append now; a closed log would refuse even an empty append.
    const waiting = [conflation.append([state('a', 2)]), conflation.append([state('a', 3), state('b', 4)])];
    for (const appended of waiting) appended.catch(() => {});
    clock.advance(100);
    for (const appended of waiting) await expect(appended).rejects.toMatchObject({ code: 'log/closed' });
  });

  test('appends only the newest of each key of a call, together with the rest of the call', async () => {
    const { conflation, log } = start();
    const appended = await conflation.append([state('a', 1), other(2), state('b', 3), state('a', 4)]);
    expect(appended).toEqual([
      { seq: 3, duplicate: true },
      { seq: 1, duplicate: false },
      { seq: 2, duplicate: false },
      { seq: 3, duplicate: false },
    ]);
    expect(await values(log)).toEqual([2, 3, 4]);
  });

  test('appends events that don’t have to wait all or none, and the others on their own', async () => {
    const { conflation, log, clock } = start();
    await conflation.append([state('a', 1)]);
    const waiting = conflation.append([other(2), state('a', 3), other(4)]);
    waiting.catch(() => {});
    await Promise.resolve();
    expect(await values(log)).toEqual([1, 2, 4]);
    await log.close();
    clock.advance(100);
    await expect(waiting).rejects.toMatchObject({ code: 'log/closed' });
  });

  test('can be flushed: waiting events are in the log when that resolves', async () => {
    const { conflation, log, clock } = start();
    await conflation.append([state('a', 1)]);
    void conflation.append([state('a', 2), state('b', 3)]);
    await conflation.flush();
    expect(await values(log)).toEqual([2, 3]);
    expect(clock.timers).toBe(0);
  });
});

describe('an event that is published again with its id', () => {
  test('after a newer one superseded it while both waited doesn’t come back', async () => {
    const { conflation, log, clock } = start();
    await conflation.append([state('a', 0)]);
    const waiting = [conflation.append([state('a', 1, 'v1')]), conflation.append([state('a', 2, 'v2')])];
    clock.advance(100);
    await Promise.all(waiting);
    clock.advance(1000);
    expect(await conflation.append([state('a', 1, 'v1')])).toEqual([{ seq: 2, duplicate: true }]);
    expect(await values(log)).toEqual([2]);
  });

  test('while a newer one waits doesn’t supersede that one', async () => {
    const { conflation, log, clock } = start();
    await conflation.append([state('a', 0)]);
    const waiting = ['v1', 'v2', 'v1'].map((id) => conflation.append([state('a', id, id)]));
    clock.advance(100);
    expect((await Promise.all(waiting)).flat()).toEqual([
      { seq: 2, duplicate: true },
      { seq: 2, duplicate: false },
      { seq: 2, duplicate: true },
    ]);
    expect(await values(log)).toEqual(['v2']);
  });

  test('while one without an id supersedes it is answered together with that one', async () => {
    const { conflation, clock } = start();
    await conflation.append([state('a', 0)]);
    const waiting = ['v1', undefined, 'v1'].map((id) => conflation.append([state('a', id ?? 'v2', id)]));
    clock.advance(100);
    expect((await Promise.all(waiting)).flat()).toEqual([
      { seq: 2, duplicate: true },
      { seq: 2, duplicate: false },
      { seq: 2, duplicate: true },
    ]);
  });

  test('after it was appended does not replace the waiting value', async () => {
    const { conflation, log, clock } = start();
    await conflation.append([state('a', 'v1', 'v1')]);
    const waiting = [
      conflation.append([state('a', 'v2')]),
      conflation.append([state('a', 'v3', 'v3')]),
      conflation.append([state('a', 'v1', 'v1')]),
    ];
    clock.advance(100);
    expect((await Promise.all(waiting)).flat()).toEqual([
      { seq: 2, duplicate: true },
      { seq: 2, duplicate: false },
      { seq: 1, duplicate: true },
    ]);
    expect(await values(log)).toEqual(['v3']);
  });

  test('in the same call as a newer one does not replace the newer one', async () => {
    const { conflation, log, clock } = start();
    await conflation.append([state('a', 'v1', 'v1')]);
    clock.advance(1000);
    const appended = await conflation.append([state('a', 'v2', 'v2'), state('a', 'v1', 'v1')]);
    expect(appended).toEqual([
      { seq: 2, duplicate: false },
      { seq: 1, duplicate: true },
    ]);
    expect(await values(log)).toEqual(['v2']);
  });

  test('does not replace the waiting value, even on a log that takes longer than the interval', async () => {
    const { log, clock } = start();
    const calls: (() => void)[] = [];
    const slow = Object.create(log) as EventLog;
    const append: EventLog['append'] = (events) =>
      new Promise((resolve) => {
        calls.push(() => resolve(log.append(events)));
      });
    Object.defineProperty(slow, 'append', { value: append });
    const conflation = new Conflation(slow, clock);
    const answer = async (): Promise<void> => {
      for (const call of calls.splice(0)) call();
      for (let i = 0; i < 10; i += 1) await Promise.resolve();
    };
    void conflation.append([state('a', 'v1', 'v1')]);
    await answer();
    void conflation.append([state('a', 'v2', 'v2')]);
    void conflation.append([state('a', 'v1', 'v1')]);
    clock.advance(100);
    void conflation.append([state('a', 'v3')]);
    clock.advance(500);
    await answer();
    clock.advance(500);
    await answer();
    clock.advance(500);
    await answer();
    expect(await values(log)).toEqual(['v3']);
  });
});

test('the cost of many events, at once or waiting, is linear in their number', async () => {
  const { conflation, log, clock } = start();
  await conflation.append([state('a', 0, 'first')]);
  const events = Array.from({ length: 40_000 }, (_, i) => state('a', i, i % 2 === 0 ? `${i}` : undefined));
  const before = cpuTime();
  const appended = conflation.append([...events, ...Array.from(events, (_, i) => other(i))]);
  const one = events.map((event) => conflation.append([event]));
  clock.advance(100);
  await appended;
  await Promise.all(one);
  expect(log.tail.head).toBe(40_002);
  // A step for each pair of them would take a minute.
  expect(cpuTime() - before).toBeLessThan(20_000);
});
