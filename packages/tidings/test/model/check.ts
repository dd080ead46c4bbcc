import fc from 'fast-check';
import { type ManualClock, createManualClock } from '../../src/testing/manual-clock.ts';
import type { Retention } from '../../src/log/retention.ts';
import type { TopicRule } from '../../src/log/topic-rules.ts';
import { type Action, actions } from './actions.ts';
import { type LogUnderTest, World } from './world.ts';

/** Small, so that readers are often outlived by it. */
export const retention: Retention = { events: 12, age: 60_000 };
export const topics: readonly TopicRule[] = [{ match: 'b', retention: { events: 2, age: 10_000 } }];

/** fast-check prints the seed and the shrunk list of actions when this fails. */
export async function checkInvariant(
  runs: number,
  open: (clock: ManualClock) => Omit<LogUnderTest, 'flushWindow'>,
): Promise<void> {
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
