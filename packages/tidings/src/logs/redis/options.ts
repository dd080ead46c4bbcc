import {
  type Checks,
  NOW,
  RETENTION,
  type Retention,
  TOPIC_RULES,
  type TopicRule,
  aNumber,
  aString,
  anObjectWith,
  assertNow,
  assertOptions,
  invalidOption,
  oneOf,
  options,
} from '../../log/index.ts';
import type { RedisClient } from './clients.ts';
import type { Durability } from './durability.ts';

export interface RedisLogOptions {
  /** Such as `redis://localhost:6379`, or `rediss://` for TLS; needs the package `@redis/client`. Or give `client`. */
  readonly url?: string;
  /** The app's own client: of ioredis, `redis` or `@redis/client`, also for Sentinel or a cluster. It stays the app's to close. */
  readonly client?: RedisClient;
  /** The prefix of the log's keys. Default `{tidings}:`; in a cluster the braces keep the keys together. */
  readonly prefix?: string;
  /** Default: 100,000 events, 256 MiB, any age: Redis keeps all of it in memory. */
  readonly retention?: Retention;
  readonly topics?: readonly TopicRule[];
  /** The newest events, also kept in each process's memory. Default: 10,000 events, 16 MiB. */
  readonly tail?: Retention;
  /**
   * When `publish` resolves. `server`, the default: once Redis has the event, which is as safe as Redis is set up to
   * be. `replica`: once a replica has it, too. `disk`: once it is in the append-only file on the disk (Redis ≥ 7.2).
   */
  readonly durability?: Durability;
  /** Milliseconds after which a command that has no answer fails with `log/unavailable`. Default 5,000. */
  readonly timeout?: number;
  /** Milliseconds since 1970. Default: Redis's own clock, since those of several machines differ. */
  readonly now?: () => number;
}

const OPTIONS: Checks<RedisLogOptions> = {
  url: aString,
  client: anObjectWith('a client of ioredis, redis or @redis/client', 'duplicate'),
  prefix: aString,
  retention: options(RETENTION),
  topics: TOPIC_RULES,
  tail: options(RETENTION),
  durability: oneOf('server', 'replica', 'disk'),
  timeout: aNumber({ min: 1, finite: true }),
  now: NOW,
};

export const DEFAULT_RETENTION: Retention = { events: 100_000, bytes: 268_435_456 };
export const DEFAULT_TAIL: Retention = { events: 10_000, bytes: 16_777_216 };
/** @throws {TidingsError} `hub/invalid-option`. */
export function assertRedisOptions(given: RedisLogOptions): void {
  assertOptions(given, OPTIONS);
  if ((given.url === undefined) === (given.client === undefined))
    throw invalidOption('url', 'A Redis log needs either `url` or `client`.');
  const { client, durability = 'server' } = given;
  if (durability !== 'server' && client !== undefined && 'call' in client && client.isCluster === true) {
    const message =
      'ioredis sends `WAIT` to any node of a cluster: use the cluster client of @redis/client with this `durability`.';
    throw invalidOption('durability', message);
  }
  assertNow(given.now ?? Date.now);
}
