import { Redis as Ioredis, type RedisOptions } from 'ioredis';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { DEADLINE } from '../../../scripts/deadline.ts';
import type { EventLog } from '../src/log/event-log.ts';
import type { Tuning } from '../src/hub/delivery/tuning.ts';
import { redisLog } from '../src/logs/redis/index.ts';
import { type RedisServer, hasRedis, startRedis } from './engines/redis.ts';
import { SMALLEST, checkInvariant, retention, topics } from './model/check.ts';

const runs = Math.ceil(Number(process.env['TIDINGS_MODEL_RUNS'] ?? 200) / 4);
const patience = { timeout: 5 * DEADLINE + runs * 2000 };

/** Commands without an answer, but for those that wait for other processes. */
let commands = 0;

class CountingClient extends Ioredis {
  override call(...[name, ...args]: [string, ...string[]]): Promise<unknown> {
    const answer = super.call(name, ...args);
    if (name === 'XREAD') return answer;
    commands += 1;
    const end = (): void => {
      commands -= 1;
    };
    answer.then(end, end);
    return answer;
  }

  override duplicate(options?: Partial<RedisOptions>): CountingClient {
    return new CountingClient({ ...this.options, ...options });
  }
}

describe.runIf(hasRedis)('on a log in Redis', () => {
  let server: RedisServer;
  let client: CountingClient;
  let world = 0;

  beforeAll(async () => {
    server = await startRedis();
    client = new CountingClient(server.url);
  });
  afterAll(async () => {
    client?.disconnect();
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
        const prefix = `{world-${(world += 1)}}:`;
        const openLog = (): Promise<EventLog> =>
          redisLog({ client, prefix, now: clock.now, retention, topics, tail: { events: 5 } });
        return { openLog, processes, answersLate: true, volatile: false, settle };
      },
      tuning,
    );
  }

  /** Nothing is under way if no command is, a few rounds of the event loop long. */
  async function settle(): Promise<void> {
    for (let quiet = 0; quiet < 4; quiet += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      if (commands > 0) quiet = 0;
    }
  }
});
