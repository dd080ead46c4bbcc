import { TidingsError, createHub, memoryLog } from 'tidings';
import type { EventLog, Hub, Retention, TopicRule } from 'tidings';
import { lmdbLog } from 'tidings/lmdb';
import { postgresLog } from 'tidings/postgres';
import { redisLog } from 'tidings/redis';
import { ANY_PAGE, TOPICS } from '../../shared/api.ts';
import { ConfigError } from '../ops/config.ts';
import type { Config } from '../ops/config.ts';
import type { Logger } from '../ops/logger.ts';
import { EACH_PAGE } from './topics.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const MEBIBYTE = 1_048_576;

/** How long a page may be away and still get exactly the events it missed. */
const ON_DISK: Retention = { events: 1_000_000, bytes: 1024 * MEBIBYTE, age: 30 * DAY };
/** Redis keeps all of it in memory. */
const IN_REDIS: Retention = { events: 200_000, bytes: 256 * MEBIBYTE, age: 30 * DAY };
const IN_MEMORY: Retention = { events: 50_000, bytes: 64 * MEBIBYTE, age: HOUR };

const RULES: readonly TopicRule[] = [
  // Posts and page views are published as they happen: in a rush, a reader sees four counts a second.
  { match: TOPICS.dashboard, state: true, interval: 250 },
  // Chatty topics must not push posts out of the log. A page that was away for longer gets everything anew.
  { match: TOPICS.connections, retention: { events: 1000 } },
  { match: TOPICS.viewers, retention: { events: 10_000 } },
  { match: TOPICS.pageViews, retention: { events: 10_000 } },
];

/** The topics of figures that each node publishes while somebody wants them, see `createInterest`. */
const FIGURES = [TOPICS.dashboard, TOPICS.connections];

export async function openHub(config: Config, log: Logger): Promise<Hub> {
  return createHub({
    log: await openLog(config.eventLog),
    cluster: { name: config.node },
    heartbeat: config.heartbeat,
    stallTimeout: config.stallTimeout,
    maxLifetime: config.maxLifetime,
    limits: { ...config.connectionLimits, topicsPerConnection: 16, eventLength: 65_536 },
    // Pages learn only how many people view them, not who; nodes, whether anybody does.
    presence: [ANY_PAGE, EACH_PAGE, ...FIGURES].map((match) => ({
      match,
      grace: config.viewerGrace,
      members: 0,
    })),
    onError: (error) => log.error({ err: error }, 'hub'),
  });
}

/** @throws ConfigError if the log cannot be opened */
async function openLog(config: Config['eventLog']): Promise<EventLog> {
  if (config.engine === 'memory') return memoryLog({ retention: IN_MEMORY, topics: RULES });
  if (config.engine !== 'lmdb') return openShared(config);
  try {
    return lmdbLog({ path: config.path, retention: ON_DISK, topics: RULES });
  } catch (error) {
    if (!(error instanceof TidingsError)) throw error;
    // Another log for the same database would be no remedy: the outbox is that process' as well.
    if (error.code === 'log/in-use') {
      throw new ConfigError(`The log in ${config.path} is in use. ${error.message}`, { cause: error });
    }
    const reason = error.cause instanceof Error ? ` (${error.cause.message})` : '';
    throw new ConfigError(
      `${error.message}${reason}\nSet EVENT_LOG_PATH to another folder, or EVENT_LOG=memory to keep no events over a restart.`,
      { cause: error },
    );
  }
}

async function openShared({ engine, url }: Extract<Config['eventLog'], { url: string }>): Promise<EventLog> {
  const open = engine === 'redis' ? redisLog : postgresLog;
  try {
    return await open({ url, retention: engine === 'redis' ? IN_REDIS : ON_DISK, topics: RULES });
  } catch (error) {
    if (!(error instanceof TidingsError)) throw error;
    const reason = error.cause instanceof Error ? ` (${error.cause.message})` : '';
    throw new ConfigError(`${error.message}${reason}\nIs EVENT_LOG_URL right, and its server running?`, {
      cause: error,
    });
  }
}
