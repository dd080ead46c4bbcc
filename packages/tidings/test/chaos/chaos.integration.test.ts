import { describe, expect, test } from 'vitest';
import { DEADLINE } from '../../../../scripts/deadline.ts';
import { hasPostgres } from '../engines/postgres.ts';
import { hasRedis } from '../engines/redis.ts';
import { runChaos } from './chaos.ts';

/** These variables raise them. The tally is printed. */
const kills = Number(process.env['TIDINGS_KILLS'] ?? 6);
const clients = Number(process.env['TIDINGS_CLIENTS'] ?? 24);

describe.each([
  ['Redis', 'redis', hasRedis],
  ['PostgreSQL', 'postgres', hasPostgres],
] as const)('three nodes on %s with a replica', (name, engine, isThere) => {
  test.runIf(isThere).each(['server', 'replica'] as const)(
    `lose nothing silently while they and ${name} are killed, paused and cut off (durability: %s)`,
    { timeout: 3 * DEADLINE + kills * 30_000 },
    async (durability) => {
      const tally = await runChaos({ engine, nodes: 3, clients, kills, durability });
      console.log(`chaos, ${name}, durability ${durability}: ${JSON.stringify(tally)}`);
      expect(tally).toMatchObject({ lostSilently: 0, doubled: 0, told: tally.concerned });
      // Otherwise a node may have been unable to read what it then lost, and tells all that may be concerned.
      if (durability === 'replica') expect(tally).toMatchObject({ lostByEngine: 0, toldForNothing: 0 });
    },
  );
});
