import { describe, expect, test } from 'vitest';
import { memoryLog } from '../logs/memory/index.ts';
import { toNewEvent } from '../protocol/event.ts';
import { createManualClock } from '../testing/manual-clock.ts';
import { Conflation } from './conflation.ts';
import type { EventLog } from '../log/event-log.ts';

const state = (key: string, data: unknown): ReturnType<typeof toNewEvent> =>
  toNewEvent({ topics: 'state', data, key });
const other = (data: unknown): ReturnType<typeof toNewEvent> => toNewEvent({ topics: 'other', data });

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

  test('holds up no other topic, and answers in the order of the call', async () => {
    const { conflation, clock } = start();
    await conflation.append([state('a', 1)]);
    const appended = conflation.append([other(2), state('a', 3), other(4)]);
    clock.advance(100);
    expect((await appended).map(({ seq }) => seq)).toEqual([2, 4, 3]);
  });

  test('has no timer left once it is quiet', async () => {
    const { conflation, clock } = start();
    await conflation.append([state('a', 1)]);
    void conflation.append([state('a', 2)]);
    clock.advance(1000);
    expect(clock.timers).toBe(0);
  });

  test('gives each publisher the log’s error once, and leaves no rejection without an owner', async () => {
    const { conflation, log, clock } = start();
    await conflation.append([state('a', 1)]);
    await log.close();
    // All of it waits, so there is nothing to append now; a log that is closed would refuse even that.
    const waiting = [conflation.append([state('a', 2)]), conflation.append([state('a', 3), state('b', 4)])];
    for (const appended of waiting) appended.catch(() => {});
    clock.advance(100);
    for (const appended of waiting) await expect(appended).rejects.toMatchObject({ code: 'log/closed' });
  });
});
