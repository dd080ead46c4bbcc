import { expect, test } from 'vitest';
import { DEADLINE } from '../../../../../scripts/deadline.ts';
import { until } from '../../../test/http/deadline.ts';
import type { EventLog } from '../../log/event-log.ts';
import { memoryLog } from '../../logs/memory/index.ts';
import { startHub } from '../hub.ts';

const LEASE = 3000;

test(
  'a consumer that can no longer renew its lease ends when the lease does',
  { timeout: 2 * DEADLINE },
  async () => {
    const log = memoryLog();
    let hangs = false;
    let appends = 0;
    const hanging: EventLog = Object.create(log, {
      append: {
        value: (events: Parameters<EventLog['append']>[0]) => {
          appends += 1;
          return hangs ? new Promise(() => {}) : log.append(events);
        },
      },
    }) as EventLog;
    const hub = startHub({ log: hanging });
    let signal: AbortSignal | undefined;
    const consumer = hub.consume(
      'worker',
      'jobs',
      (_, context) => {
        ({ signal } = context);
        return new Promise<void>((resolve) => context.signal.addEventListener('abort', () => resolve()));
      },
      { lease: LEASE },
    );
    await until('it has begun', () => consumer.active);
    await hub.publish('jobs', 1);
    await until('it handles', () => signal !== undefined);
    const before = appends;
    await until('it has renewed its lease twice', () => appends >= before + 2);
    expect(signal?.aborted).toBe(false);
    hangs = true;
    await until('its term is over', () => signal?.aborted === true && !consumer.active);
  },
);

test('a hub that closes takes no more consumers', async () => {
  const failures: unknown[] = [];
  const hub = startHub({ log: memoryLog(), onError: (error) => failures.push(error) });
  const closing = hub.close({ within: 10 });
  const unavailable = expect.objectContaining({ code: 'hub/unavailable' }) as unknown;
  expect(() => hub.consume('late', 'a', () => {})).toThrow(unavailable);
  await closing;
  expect(() => hub.consume('later', 'a', () => {})).toThrow(unavailable);
  expect(failures).toEqual([]);
});
