import { describe, test } from 'vitest';
import type { EventLog } from '../src/log/event-log.ts';
import { DEADLINE } from '../../../scripts/deadline.ts';
import { memoryLog } from '../src/logs/memory/index.ts';
import { checkInvariant, retention, topics } from './model/check.ts';
import { settle } from './peer.ts';

const runs = Number(process.env['TIDINGS_MODEL_RUNS'] ?? 1500);

/** Takes longer for each answer than the model ever waits: publishing and retention come in between. */
function slow(log: EventLog): EventLog {
  const turn = async (): Promise<void> => {
    await settle();
    await settle();
  };
  const between = async <T>(work: () => Promise<T>): Promise<T> => {
    await turn();
    const result = await work();
    await turn();
    return result;
  };
  return Object.create(log, {
    read: { value: (query: Parameters<EventLog['read']>[0]) => between(() => log.read(query)) },
    losses: { value: (...args: Parameters<EventLog['losses']>) => between(() => log.losses(...args)) },
  }) as EventLog;
}

describe('with a slow log', () => {
  test(
    'retention that runs between two calls is not missed',
    { timeout: 5 * DEADLINE + runs * 100 },
    async () => {
      await checkInvariant(runs, (clock) => ({
        openLog: () => slow(memoryLog({ retention, topics, now: clock.now })),
        answersLate: true,
        volatile: true,
        settle,
      }));
    },
  );
});
