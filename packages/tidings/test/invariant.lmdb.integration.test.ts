import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'vitest';
import { DEADLINE } from '../../../scripts/deadline.ts';
import type { Tuning } from '../src/hub/delivery/tuning.ts';
import { lmdbLog } from '../src/logs/lmdb/index.ts';
import { SMALLEST, checkInvariant, retention, topics } from './model/check.ts';

const runs = Number(process.env['TIDINGS_MODEL_RUNS'] ?? 200);

describe('on a log that outlives the process', () => {
  test('resume is exact across restarts too', { timeout: 5 * DEADLINE + runs * 500 }, () => check({}));

  test(
    'resume is exact across several processes that all publish',
    { timeout: 5 * DEADLINE + runs * 500 },
    () => check({ shared: true }),
  );

  test(
    'resume is exact across processes even if all work is cut into the smallest pieces',
    { timeout: 5 * DEADLINE + runs * 500 },
    () => check({ shared: true, tuning: SMALLEST }),
  );
});

async function check(options: { readonly shared?: boolean; readonly tuning?: Tuning }): Promise<void> {
  const { shared = false, tuning } = options;
  const base = mkdtempSync(join(tmpdir(), 'tidings-invariant-'));
  let world = 0;
  try {
    await checkInvariant(
      runs,
      (clock) => {
        const path = join(base, String((world += 1)));
        const open = (): ReturnType<typeof lmdbLog> =>
          lmdbLog({ path, shared, now: clock.now, retention, topics, tail: { events: 5 } });
        return {
          openLog: open,
          processes: shared ? 3 : 1,
          // Another process's retention may take events meanwhile.
          answersLate: shared,
          volatile: false,
          settle: settleWrites,
        };
      },
      tuning,
    );
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
}

/** A write of LMDB's comes back from its thread within a few rounds of the event loop. */
async function settleWrites(): Promise<void> {
  for (let i = 0; i < 4; i += 1) await new Promise((resolve) => setImmediate(resolve));
}
