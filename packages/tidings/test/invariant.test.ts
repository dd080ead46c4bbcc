import { describe, test } from 'vitest';
import { DEADLINE } from '../../../scripts/deadline.ts';
import { memoryLog } from '../src/logs/memory/index.ts';
import { SMALLEST, checkInvariant, retention, topics } from './model/check.ts';
import { settle } from './peer.ts';

const runs = Number(process.env['TIDINGS_MODEL_RUNS'] ?? 1500);

describe('for every connection, over any sequence of drops, stalls, trims and restarts', () => {
  const timeout = 5 * DEADLINE + runs * 100;

  test(
    'it receives the matching events in order, none twice, none missing without a gap notice',
    { timeout },
    async () => {
      await checkInvariant(runs, (clock) => ({
        openLog: () => memoryLog({ retention, topics, now: clock.now }),
        volatile: true,
        settle,
      }));
    },
  );

  test(
    'it receives the same if every flush and all reading is cut into the smallest pieces',
    { timeout },
    async () => {
      await checkInvariant(
        runs,
        (clock) => ({
          openLog: () => memoryLog({ retention, topics, now: clock.now }),
          volatile: true,
          settle,
        }),
        SMALLEST,
      );
    },
  );
});
