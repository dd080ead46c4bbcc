import fc from 'fast-check';
import { expect, test } from 'vitest';
import { judgePace } from '../log/conditions.ts';
import type { LogEntry } from '../log/entry.ts';
import type { EventLog } from '../log/event-log.ts';
import { memoryLog } from '../logs/memory/index.ts';
import { type NewEvent, toNewEvent } from '../protocol/event.ts';
import { createManualClock } from '../testing/manual-clock.ts';
import { Conflation } from './conflation.ts';

const INTERVAL = 100;

/** A log that several processes share, which keeps a pace as the contract of shared logs demands. */
function sharedLog(now: () => number): { log: EventLog; entries: LogEntry[] } {
  const topics = [{ match: 'state', state: true, interval: INTERVAL }];
  const log = memoryLog({ topics, now });
  const entries: LogEntry[] = [];
  log.tail.onPush((pushed) => void entries.push(...pushed));
  const append = async (events: readonly NewEvent[]): ReturnType<EventLog['append']> => {
    const answers = [];
    for (const event of events) {
      const newest = entries.findLast(({ key }) => key === event.key);
      const verdict = judgePace(event, newest, now());
      if (verdict.is === 'superseded') answers.push({ seq: verdict.seq, duplicate: true });
      else if (verdict.is === 'early')
        answers.push({ seq: newest?.seq ?? 0, duplicate: false, wait: verdict.wait });
      else answers.push(...(await log.append([event])));
    }
    return answers;
  };
  return {
    log: Object.create(log, { shared: { value: true }, append: { value: append } }) as EventLog,
    entries,
  };
}

interface Step {
  readonly wait: number;
  readonly node: number;
  readonly key: string;
  readonly hasId: boolean;
}

test('processes that share a log append a key at most once per interval, and the value published last stays', async () => {
  const step: fc.Arbitrary<Step> = fc.record({
    wait: fc.nat(60),
    node: fc.nat(2),
    key: fc.constantFrom('a', 'b'),
    hasId: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 30 }), async (steps) => {
      const clock = createManualClock();
      const { log, entries } = sharedLog(clock.now);
      const nodes = [0, 1, 2].map(() => new Conflation(log, clock));
      const last = new Map<string, string>();
      const publishing: Promise<unknown>[] = [];
      const pass = async (milliseconds: number): Promise<void> => {
        for (let i = 0; i < milliseconds; i += 5) {
          clock.advance(5);
          for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
        }
      };
      for (const [i, { wait, node, key, hasId }] of steps.entries()) {
        // Events published in the same moment on two nodes have no order.
        await pass(5 + wait);
        const event = toNewEvent({ topics: 'state', data: i, key, ...(hasId && { id: `${i}` }) });
        publishing.push((nodes[node] as Conflation).append([event]));
        last.set(key, `${i}`);
      }
      await pass(10 * INTERVAL);
      await Promise.all(publishing);
      for (const [key, data] of last) {
        const own = entries.filter((entry) => entry.key === key);
        expect(own.at(-1)?.data).toBe(data);
        for (const [i, { time }] of own.entries())
          if (i > 0) expect(time - (own[i - 1]?.time ?? 0)).toBeGreaterThanOrEqual(INTERVAL);
      }
      expect(clock.timers).toBe(0);
    }),
    { numRuns: 200 },
  );
});

test('the value that one process publishes last stays, however long the log takes to answer', async () => {
  const step = fc.record({
    wait: fc.nat(40),
    key: fc.constantFrom('a', 'b'),
    there: fc.double({ min: 0, max: 150, noNaN: true }),
    back: fc.double({ min: 0, max: 150, noNaN: true }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 15 }), async (steps) => {
      const clock = createManualClock();
      const { log, entries } = sharedLog(() => Math.floor(clock.now()));
      let calls = 0;
      const append: EventLog['append'] = async (events) => {
        const { there = 0, back = 0 } = steps[(calls += 1) % steps.length] ?? {};
        await new Promise<void>((resolve) => void clock.setTimer(resolve, there));
        const answers = await log.append(events);
        await new Promise<void>((resolve) => void clock.setTimer(resolve, back));
        return answers;
      };
      const node = new Conflation(Object.create(log, { append: { value: append } }) as EventLog, clock);
      const last = new Map<string, string>();
      const publishing: Promise<unknown>[] = [];
      const pass = async (milliseconds: number): Promise<void> => {
        for (let i = 0; i < milliseconds; i += 5) {
          clock.advance(5);
          for (let turn = 0; turn < 30; turn += 1) await Promise.resolve();
        }
      };
      for (const [i, { wait, key }] of steps.entries()) {
        await pass(wait);
        publishing.push(node.append([toNewEvent({ topics: 'state', data: i, key })]));
        last.set(key, `${i}`);
      }
      await pass(40 * INTERVAL);
      await Promise.all(publishing);
      for (const [key, data] of last) expect(entries.findLast((entry) => entry.key === key)?.data).toBe(data);
      expect(clock.timers).toBe(0);
    }),
    { numRuns: 100 },
  );
});

test('a process that ends appends what still waits there, unless a later value is in the log', async () => {
  const clock = createManualClock();
  const { log, entries } = sharedLog(clock.now);
  const [one, two] = [new Conflation(log, clock), new Conflation(log, clock)];
  const state = (data: number): NewEvent => toNewEvent({ topics: 'state', data, key: 'k' });
  await one.append([state(1)]);
  clock.advance(10);
  const older = one.append([state(2)]);
  clock.advance(10);
  const newer = two.append([state(3)]);
  await two.flush();
  await one.flush();
  expect(await newer).toEqual([{ seq: 2, duplicate: false }]);
  expect(await older).toEqual([{ seq: 2, duplicate: true }]);
  expect(entries.map(({ data }) => data)).toEqual(['1', '3']);
  expect(clock.timers).toBe(0);
});
