import { Redis as Ioredis } from 'ioredis';
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

function counting(client: Ioredis): Ioredis {
  const call = client.call.bind(client) as (...args: readonly string[]) => Promise<unknown>;
  const duplicate = client.duplicate.bind(client) as (...args: readonly unknown[]) => Ioredis;
  client.call = ((...args: readonly string[]) => {
    const answer = call(...args);
    if (args[0] === 'XREAD') return answer;
    commands += 1;
    const end = (): void => {
      commands -= 1;
    };
    answer.then(end, end);
    return answer;
  }) as typeof client.call;
  client.duplicate = (...args: readonly unknown[]) => counting(duplicate(...args));
  return client;
}

describe.runIf(hasRedis)('on a log in Redis', () => {
  let server: RedisServer;
  let client: Ioredis;
  let world = 0;

  beforeAll(async () => {
    server = await startRedis();
    client = counting(new Ioredis(server.url));
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
