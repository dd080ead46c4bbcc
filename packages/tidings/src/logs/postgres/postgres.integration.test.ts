import { afterAll, beforeAll, describe, test } from 'vitest';
import { DEADLINE } from '../../../../../scripts/deadline.ts';
import { type PostgresServer, hasPostgres, startPostgres } from '../../../test/engines/postgres.ts';
import { untilAsync } from '../../../test/http/deadline.ts';
import { lineageContract } from '../../testing/lineage-contract.ts';
import { logContract } from '../../testing/log-contract.ts';
import { sharedLogContract } from '../../testing/shared-log-contract.ts';
import { type PostgresLog, type PostgresLogOptions, postgresLog } from './index.ts';

let server: PostgresServer;
let schemas = 0;

beforeAll(async () => {
  if (hasPostgres) server = await startPostgres('fsync=off');
});
afterAll(() => server?.stop());

function newSchema(): string {
  schemas += 1;
  return `test_${schemas}`;
}

function open(options: Partial<PostgresLogOptions> = {}): Promise<PostgresLog> {
  return postgresLog({ url: server.url, schema: newSchema(), connections: 2, ...options });
}

describe.runIf(hasPostgres).each([
  ['with all it has read lately in memory', {}],
  ['with next to nothing in memory', { tail: { events: 2 } }],
] as const)('the PostgreSQL log %s', (_, options: Partial<PostgresLogOptions>) => {
  test.each(logContract)('$name', ({ run }) => run((given) => open({ ...given, ...options }), DEADLINE));
});

describe.runIf(hasPostgres)('the PostgreSQL log for several processes', () => {
  test.each(sharedLogContract)('$name', ({ run }) =>
    run(async (given) => {
      const schema = newSchema();
      return [await open({ ...given, schema }), await open({ ...given, schema })];
    }, DEADLINE),
  );
});

describe.runIf(hasPostgres)('a PostgreSQL log whose server comes back with less than it had', () => {
  let started: PostgresServer;

  beforeAll(async () => {
    started = await startPostgres('fsync=off', 'wal_writer_delay=10s', 'autovacuum=off');
  });
  afterAll(() => started?.stop());

  test.each(lineageContract)('$name', ({ run }) =>
    run(async (given) => {
      // Commits are acknowledged before they are on the disk, where they get at a checkpoint only.
      const url = `${started.url}?options=-c%20synchronous_commit%3Doff`;
      const log = await postgresLog({ ...given, url, schema: newSchema() });
      return {
        log,
        keep: () => started.query('CHECKPOINT').then(() => {}),
        async lose() {
          const { epoch } = log.tail;
          await started.kill();
          await started.start();
          await untilAsync('the log has gone back', async () => {
            await log.catchUp().catch(() => {});
            return log.tail.epoch !== epoch;
          });
          return log;
        },
      };
    }, DEADLINE),
  );
});
