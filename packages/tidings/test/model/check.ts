import fc from 'fast-check';
import { type ManualClock, createManualClock } from '../../src/testing/manual-clock.ts';
import { TUNING, type Tuning } from '../../src/hub/delivery/tuning.ts';
import type { Retention } from '../../src/log/retention.ts';
import type { TopicRule } from '../../src/log/topic-rules.ts';
import { type Action, actions } from './actions.ts';
import { inTurns } from './turns.ts';
import { type LogUnderTest, World } from './world.ts';

/** Small, to make readers often fall behind it. */
export const retention: Retention = { events: 12, age: 60_000 };
export const topics: readonly TopicRule[] = [{ match: 'b', retention: { events: 2, age: 10_000 } }];

/** Often none, since what a bound skips is told and then missing. */
const replay = fc.constantFrom<Retention | undefined>(
  undefined,
  undefined,
  { events: 3 },
  { bytes: 1500 },
  { age: 1000 },
);

/** The smallest pieces there are: one receiver of a flush, one step of catching up in each turn. */
export const SMALLEST: Tuning = {
  catchUp: 0,
  slicedFrom: 0,
  slicedPairs: 0,
  mostPairs: 1,
  slice: 0,
  lookEvery: 1,
};

/** fast-check prints the seed and the shrunk list of actions when this fails. */
export async function checkInvariant(
  runs: number,
  open: (clock: ManualClock) => Omit<LogUnderTest, 'flushWindow' | 'replay'>,
  tuning: Tuning = TUNING,
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(
      actions,
      fc.constantFrom(0, 700, 3000),
      replay,
      fc.constantFrom(undefined, queueMicrotask),
      async (list: readonly Action[], flushWindow, bounds, soon) => {
        const clock = inTurns(createManualClock(), soon);
        const world = new World({ ...open(clock), flushWindow, replay: bounds }, clock, tuning);
        for (const action of list) await world.act(action);
        await world.finish();
      },
    ),
    { numRuns: runs },
  );
}
