import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Hub, HubOptions } from '../../src/hub/index.ts';
import { createHub } from '../../src/index.ts';
import type { EventLog } from '../../src/log/event-log.ts';
import type { TopicRule } from '../../src/log/topic-rules.ts';
import { lmdbLog } from '../../src/logs/lmdb/index.ts';
import { postgresLog } from '../../src/logs/postgres/index.ts';
import { redisLog } from '../../src/logs/redis/index.ts';
import { hasPostgres, startPostgres } from '../engines/postgres.ts';
import { hasRedis, startRedis } from '../engines/redis.ts';

/** Opens one log again and again, as several processes would. */
export type OpenLog = () => Promise<EventLog>;

type MakeLog = (topics?: readonly TopicRule[]) => Promise<OpenLog>;

/** Engines that processes can share, of those that are installed. Each call makes a log of its own, for the running test. */
export const engines: readonly (readonly [name: string, make: MakeLog])[] = [
  [
    'LMDB',
    (topics = []) => {
      const path = mkdtempSync(join(tmpdir(), 'tidings-cluster-'));
      onTestFinished(() => rmSync(path, { recursive: true, force: true }));
      return Promise.resolve(() => Promise.resolve(lmdbLog({ path, shared: true, topics })));
    },
  ],
  ...only(hasRedis, 'Redis', async (topics = []) => {
    const server = await startRedis();
    onTestFinished(() => server.stop());
    return () => redisLog({ url: server.url, topics, timeout: 10_000 });
  }),
  ...only(hasPostgres, 'PostgreSQL', async (topics = []) => {
    const server = await startPostgres('fsync=off');
    onTestFinished(() => server.stop());
    return () => postgresLog({ url: server.url, topics, connections: 2 });
  }),
];

function only(isThere: boolean, name: string, make: MakeLog): readonly (readonly [string, MakeLog])[] {
  return isThere ? [[name, make]] : [];
}

export interface Node {
  readonly hub: Hub;
  readonly log: EventLog;
  readonly failures: unknown[];
}

/** A hub on the log, which is closed at the end of the test. */
export async function startNode(open: OpenLog, options: HubOptions = {}): Promise<Node> {
  const log = await open();
  const failures: unknown[] = [];
  const hub = createHub({ log, onError: (error) => failures.push(error), ...options });
  onTestFinished(() => hub.close({ within: 100 }));
  return { hub, log, failures };
}
