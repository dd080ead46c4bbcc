import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'vitest';
import { DEADLINE } from '../../../scripts/deadline.ts';
import { lmdbLog } from '../src/logs/lmdb/index.ts';
import { checkReplay } from './model/replay.ts';

const runs = Number(process.env['TIDINGS_MODEL_RUNS'] ?? 100);

test(
  'A connection gets the newest missed events within the bounds from an LMDB log too, and is told exactly the rest',
  { timeout: 5 * DEADLINE + runs * 1000 },
  async () => {
    const base = mkdtempSync(join(tmpdir(), 'tidings-replay-'));
    let logs = 0;
    try {
      await checkReplay(
        runs,
        (clock) => lmdbLog({ path: join(base, `${(logs += 1)}`), now: clock.now, tail: { events: 7 } }),
        () => new Promise((resolve) => setImmediate(resolve)),
      );
    } finally {
      rmSync(base, { recursive: true, force: true });
    }
  },
);
