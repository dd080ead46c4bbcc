import fc from 'fast-check';
import { describe, test } from 'vitest';
import { memoryLog } from '../src/logs/memory.ts';
import { type ManualClock, createManualClock } from '../src/testing/manual-clock.ts';
import { type Action, actions } from './model/actions.ts';
import { type LogUnderTest, World } from './model/world.ts';

const runs = Number(process.env['TIDINGS_MODEL_RUNS'] ?? 1500);

/** fast-check prints the seed and the shrunk list of actions when this fails. */
async function check(open: (clock: ManualClock) => Omit<LogUnderTest, 'flushWindow'>): Promise<void> {
  await fc.assert(
    fc.asyncProperty(actions, fc.constantFrom(0, 700, 3000), async (list: readonly Action[], flushWindow) => {
      const clock = createManualClock();
      const world = new World({ ...open(clock), flushWindow }, clock);
      for (const action of list) await world.act(action);
      await world.finish();
    }),
    { numRuns: runs },
  );
}

describe('for every connection, over any sequence of drops, stalls, trims and restarts', () => {
  test('what it receives is the matching events in order, none twice, none missing without a gap notice', async () => {
    await check((clock) => ({
      openLog: () => memoryLog({ retention: { events: 12, age: 60_000 }, now: clock.now }),
      durable: false,
    }));
  });
});
