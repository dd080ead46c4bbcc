import { describe, expect, test } from 'vitest';
import { logContract } from '../../testing/log-contract.ts';
import { toNewEvent } from '../../protocol/event.ts';
import { memoryLog } from './index.ts';

describe('the memory log', () => {
  test.each(logContract)('$name', ({ run }) => run(memoryLog));

  test('has a new epoch each time, which makes old cursors foreign', () => {
    expect(memoryLog().tail.epoch).not.toBe(memoryLog().tail.epoch);
  });

  test('refuses an epoch that could not stand in a cursor', () => {
    expect(() => memoryLog({ epoch: 'a b' })).toThrow(expect.objectContaining({ code: 'cursor/invalid' }));
  });
});

test('the memory log remembers a bounded number of ids of superseded events', async () => {
  const log = memoryLog({ topics: [{ match: 'a', state: true }] });
  const append = (id: string, supersededIds: readonly string[] = []): ReturnType<typeof log.append> =>
    log.append([{ ...toNewEvent({ topics: 'a', data: 0, key: 'k', id }), supersededIds }]);
  for (let i = 0; i < 3; i += 1) {
    await append(
      `newest-${i}`,
      Array.from({ length: 6000 }, (_, j) => `${i}-${j}`),
    );
  }
  expect(await append('2-0')).toEqual([{ seq: 3, duplicate: true }]);
  expect(await append('0-0')).toEqual([{ seq: 4, duplicate: false }]);
});

test('the memory log lets go of events that grow too old at once over several turns', async () => {
  let time = 0;
  const log = memoryLog({
    retention: { events: Infinity, age: 1000 },
    topics: [{ match: { pattern: 'short/:id' }, retention: { age: 500 } }],
    now: () => time,
  });
  const fill = (topics: string) =>
    log.append(Array.from({ length: 5000 }, () => toNewEvent({ topics, data: 0 })));
  await fill('short/1');
  await fill('a');
  time = 700;
  const first = log.trim(time);
  expect(log.tail.length).toBe(9000);
  await Promise.all([first, log.trim(time)]);
  expect(log.tail.length).toBe(5000);
  time = 2000;
  await log.append([toNewEvent({ topics: 'b', data: 'new' })]);
  expect(log.tail.length).toBe(4001);
  await log.trim(time);
  expect(log.tail.length).toBe(1);
});

test('the memory log does not grow with large appends whose events are too old by the next one', async () => {
  let time = 0;
  const log = memoryLog({ retention: { events: Infinity, age: 1000 }, now: () => time });
  const lengths: number[] = [];
  for (; time < 10_000; time += 2000) {
    await log.append(Array.from({ length: 3000 }, () => toNewEvent({ topics: 'a', data: 0 })));
    lengths.push(log.tail.length);
  }
  expect(lengths).toEqual([3000, 3000, 3000, 3000, 3000]);
});

test('the memory log can be closed while it lets go of old events', async () => {
  let time = 0;
  const log = memoryLog({ retention: { events: Infinity, age: 1000 }, now: () => time });
  await log.append(Array.from({ length: 5000 }, () => toNewEvent({ topics: 'a', data: 0 })));
  time = 2000;
  const trimmed = log.trim(time);
  await log.close();
  await trimmed;
});
