import { untilAsync } from '../http/deadline.ts';
import { startFront } from './front.ts';
import type { EnginePair, PairDurability } from './pair.ts';
import { type PostgresServer, startPostgres, startStandby } from './postgres.ts';

/** With `replica`, commits wait until the standby has them, too. */
export async function startPostgresPair(durability: PairDurability): Promise<EnginePair> {
  // The processes are killed, not the machine: what was written stays.
  const settings = ['fsync=off', 'wal_keep_size=256MB', 'wal_retrieve_retry_interval=200ms'];
  if (durability === 'replica') settings.push('synchronous_standby_names=*');
  let primary = await startPostgres(...settings);
  let standby = await follow();
  const front = await startFront(() => primary.port);

  /** A new standby, once it streams. */
  async function follow(): Promise<PostgresServer> {
    const started = await startStandby(primary, ...settings);
    await untilFollowing(started);
    return started;
  }

  async function untilFollowing(server: PostgresServer): Promise<void> {
    await untilAsync('the standby streams', async () => {
      const rows = await server
        .query(`SELECT status FROM pg_stat_wal_receiver WHERE status = 'streaming'`)
        .catch(() => []);
      return rows.length > 0;
    });
  }

  return {
    url: `postgres://postgres@127.0.0.1:${front.port}/postgres`,
    async restart() {
      await primary.kill();
      await primary.start();
      await untilFollowing(standby);
    },
    async failOver(meanwhile) {
      if (meanwhile !== undefined) {
        await standby.query(`ALTER SYSTEM SET primary_conninfo = ''`);
        await standby.query('SELECT pg_reload_conf()');
        await untilAsync(
          'the standby streams no more',
          async () => (await standby.query('SELECT 1 FROM pg_stat_wal_receiver')).length === 0,
        );
        await meanwhile();
      }
      await primary.stop();
      await standby.query('SELECT pg_promote()');
      primary = standby;
      front.drop();
      standby = await follow();
    },
    partition: front.cut,
    async stop() {
      front.close();
      await Promise.all([primary.stop(), standby.stop()]);
    },
  };
}
