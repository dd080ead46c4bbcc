import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Hub, HubOptions } from '../../src/hub/index.ts';
import { createHub } from '../../src/index.ts';
import type { EventLog } from '../../src/log/event-log.ts';
import type { TopicRule } from '../../src/log/topic-rules.ts';
import { lmdbLog } from '../../src/logs/lmdb/index.ts';
import { redisLog } from '../../src/logs/redis/index.ts';
import { startRedis } from '../engines/redis.ts';

/** Opens one log again and again, as several processes would. */
export type OpenLog = () => Promise<EventLog>;

/** Engines that processes can share. Each call makes a log of its own, for the running test. */
export const engines: readonly (readonly [
  name: string,
  make: (topics?: readonly TopicRule[]) => Promise<OpenLog>,
])[] = [
  [
    'LMDB',
    (topics = []) => {
      const path = mkdtempSync(join(tmpdir(), 'tidings-cluster-'));
      onTestFinished(() => rmSync(path, { recursive: true, force: true }));
      return Promise.resolve(() => Promise.resolve(lmdbLog({ path, shared: true, topics })));
    },
  ],
  [
    'Redis',
    async (topics = []) => {
      const server = await startRedis();
      onTestFinished(() => server.stop());
      return () => redisLog({ url: server.url, topics, timeout: 2000 });
    },
  ],
];

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
