import pg from 'pg';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { DEADLINE } from '../../../scripts/deadline.ts';
import type { Tuning } from '../src/hub/delivery/tuning.ts';
import { type PostgresLog, postgresLog } from '../src/logs/postgres/index.ts';
import { type PostgresServer, hasPostgres, startPostgres } from './engines/postgres.ts';
import { SMALLEST, checkInvariant, retention, topics } from './model/check.ts';

/** Each run makes the tables of a log, which takes far longer than what is done with them. */
const runs = Math.ceil(Number(process.env['TIDINGS_MODEL_RUNS'] ?? 200) / 8);
const patience = { timeout: 5 * DEADLINE + runs * 5000 };

describe.runIf(hasPostgres)('on a log in PostgreSQL', () => {
  let server: PostgresServer;
  let pool: pg.Pool;
  let world = 0;
  let statements = 0;

  beforeAll(async () => {
    server = await startPostgres('fsync=off', 'max_connections=200');
    pool = new pg.Pool({ connectionString: server.url, max: 20 });
    pool.on('connect', countStatements);
  });
  afterAll(async () => {
    await pool?.end();
    await server?.stop();
  });

  test('resume is exact across restarts too', patience, () => check({ processes: 1 }));

  test('resume is exact across several processes that all publish', patience, () => check({ processes: 3 }));

  test('resume is exact across processes even if all work is cut into the smallest pieces', patience, () =>
    check({ processes: 3, tuning: SMALLEST }),
  );

  async function check({
    processes,
    tuning,
  }: {
    readonly processes: number;
    readonly tuning?: Tuning;
  }): Promise<void> {
    await checkInvariant(
      runs,
      (clock) => {
        const schema = `world_${(world += 1)}`;
        const openLog = (): Promise<PostgresLog> =>
          postgresLog({ pool, schema, now: clock.now, retention, topics, tail: { events: 5 } });
        return { openLog, processes, answersLate: true, volatile: false, settle };
      },
      tuning,
    );
  }

  function countStatements(client: pg.PoolClient): void {
    const query = client.query.bind(client) as (config: object) => Promise<unknown>;
    const counting = (config: object): Promise<unknown> => {
      statements += 1;
      const answer = query(config);
      const end = (): void => {
        statements -= 1;
      };
      answer.then(end, end);
      return answer;
    };
    Object.assign(client, { query: counting });
  }

  /** Nothing is under way if no statement is, a few rounds of the event loop long. */
  async function settle(): Promise<void> {
    for (let quiet = 0; quiet < 4; quiet += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      if (statements > 0) quiet = 0;
    }
  }
});
