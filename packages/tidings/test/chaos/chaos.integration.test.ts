import { describe, expect, test } from 'vitest';
import { DEADLINE } from '../../../../scripts/deadline.ts';
import { hasRedis } from '../engines/redis.ts';
import { runChaos } from './chaos.ts';

/** These variables raise them. The tally is printed. */
const kills = Number(process.env['TIDINGS_KILLS'] ?? 6);
const clients = Number(process.env['TIDINGS_CLIENTS'] ?? 24);

describe.runIf(hasRedis)('three nodes on a Redis with a replica', () => {
  test.each(['server', 'replica'] as const)(
    `lose nothing silently while they and Redis are killed, paused and cut off (durability: %s)`,
    { timeout: 3 * DEADLINE + kills * 30_000 },
    async (durability) => {
      const tally = await runChaos({ nodes: 3, clients, kills, durability });
      console.log(`chaos, durability ${durability}: ${JSON.stringify(tally)}`);
      expect(tally).toMatchObject({ lostSilently: 0, doubled: 0, told: tally.concerned });
      if (durability === 'replica') expect(tally.lostByEngine).toBe(0);
    },
  );
});
