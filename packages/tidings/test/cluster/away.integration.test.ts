import { type TestContext, describe, expect, test } from 'vitest';
import { type Hub, type Item, createHub } from '../../src/index.ts';
import type { EventLog } from '../../src/log/index.ts';
import { postgresLog } from '../../src/logs/postgres/index.ts';
import { redisLog } from '../../src/logs/redis/index.ts';
import { TidingsError } from '../../src/protocol/tidings-error.ts';
import { collectGarbage } from '../collect-garbage.ts';
import { hasPostgres, startPostgres } from '../engines/postgres.ts';
import { hasRedis, startRedis } from '../engines/redis.ts';
import { until, untilAsync } from '../http/deadline.ts';

/** How long a publisher waits at most; and how many times that the engine is away, as a minute is to the default. */
const TIMEOUT = 800;
const TIMES = 12;
/** Publishers at each moment, and characters that each event has. */
const PUBLISHERS = 100;
const LENGTH = 2000;
/** What a hub has in memory: a reader that is further behind needs the engine. */
const tail = { events: 5 };

interface Engine {
  readonly server: { kill(): Promise<void>; start(): Promise<void>; pause(): void; resume(): void };
  /** `timeout` of the log. */
  readonly open: (timeout: number) => Promise<EventLog>;
}

const engines: readonly (readonly [string, boolean, (context: TestContext) => Promise<Engine>])[] = [
  [
    'Redis',
    hasRedis,
    async (context) => {
      const server = await startRedis('--appendonly', 'yes', '--appendfsync', 'always');
      context.onTestFinished(() => server.stop());
      return { server, open: (timeout) => redisLog({ url: server.url, timeout, tail }) };
    },
  ],
  [
    'PostgreSQL',
    hasPostgres,
    async (context) => {
      const server = await startPostgres('fsync=off');
      context.onTestFinished(() => server.stop());
      return { server, open: (timeout) => postgresLog({ url: server.url, timeout, connections: 3, tail }) };
    },
  ],
];

describe.concurrent('hubs whose engine is away for a long time', () => {
  for (const [name, isThere, make] of engines) {
    test.runIf(isThere)(
      `${name}: publishers are told in time, memory stays level, readers stay and get everything`,
      async (context) => {
        const { server, open } = await make(context);
        // Its tables take longer than that.
        await (await open(20_000)).close();
        await server.kill();
        await expect(open(TIMEOUT), 'at start').rejects.toMatchObject({ code: 'log/unavailable' });
        await server.start();
        const [hub, other] = [await startHub(context, open), await startHub(context, open)];
        const received: string[] = [];
        const reading = (async () => {
          for await (const item of other.subscribe('a')) {
            if (item.kind === 'gap') received.push('a gap');
            if (item.kind === 'event') received.push(item.id ?? '');
          }
        })();
        await untilAsync('an event is published', () => isPublished(hub, 'first'));
        await until('it is received', () => received.length === 1);

        const slow = other.subscribe('b');
        await slow.next();
        const missed = Array.from({ length: 4 * tail.events }, (_, i) => `missed ${i}`);
        for (const id of missed) await untilAsync('it is published', () => isPublished(hub, id, 'b'));
        await until('the other hub knows of them', () => other.cursor() === hub.cursor());

        // First it doesn't answer, then there is nothing there.
        server.pause();
        const caughtUp = readIds(slow, missed.length);
        await outlast(hub, TIMES / 2);
        // Without waking up, it takes none of the calls that wait for it.
        await server.kill();
        await outlast(hub, TIMES / 2);
        const { live, inProcessBehind } = other.stats();
        expect([live, inProcessBehind], 'readers that are connected').toEqual([1, 1]);
        await server.start();

        // Publishers that care publish a refused event again, with the same id.
        const ids = Array.from({ length: PUBLISHERS }, (_, i) => `again ${i}`);
        for (const id of ids) await untilAsync('it is published again', () => isPublished(hub, id));
        await until('the last one is received', () => received.at(-1) === ids.at(-1));
        expect(await caughtUp).toEqual(missed);
        expect(received).not.toContain('a gap');
        const own = received.filter((id) => id.startsWith('again'));
        expect(own).toEqual(ids);
        expect(new Set(received).size, 'each once').toBe(received.length);
        await other.close();
        await reading;
      },
    );
  }
});

async function startHub(context: TestContext, open: (timeout: number) => Promise<EventLog>): Promise<Hub> {
  let log: EventLog | undefined;
  await untilAsync('the log opens', async () => {
    log = await open(TIMEOUT).catch(() => undefined);
    return log !== undefined;
  });
  const hub = createHub({ log: log as EventLog, onError: () => {} });
  context.onTestFinished(() => hub.close({ within: 100 }));
  return hub;
}

/** Publishers come and come for so many timeouts; each is refused, and nothing of them is kept. */
async function outlast(hub: Hub, times: number): Promise<void> {
  let before = 0;
  let slowest = 0;
  for (let i = 0; i < times; i += 1) {
    const began = performance.now();
    const results = await Promise.allSettled(
      Array.from({ length: PUBLISHERS }, (_, n) =>
        hub.publish('a', 'x'.repeat(LENGTH), { id: `away ${i} ${n} ${crypto.randomUUID()}` }),
      ),
    );
    slowest = Math.max(slowest, performance.now() - began);
    for (const result of results) {
      expect(result.status).toBe('rejected');
      if (result.status === 'fulfilled') continue;
      expect(result.reason).toBeInstanceOf(TidingsError);
      expect(result.reason).toMatchObject({ code: 'log/unavailable', details: { retryAfter: 5 } });
    }
    collectGarbage();
    const used = process.memoryUsage().heapUsed;
    if (i === 1) before = used;
    if (i > 1) expect((used - before) / 1e6, 'MB of memory more than at first').toBeLessThan(8);
  }
  // The bound is the timeout; the rest is for a machine that is busy with something else.
  expect(slowest).toBeLessThan(TIMEOUT * 2 + 5000);
}

/** The ids of so many events, without gaps. */
async function readIds(items: AsyncIterable<Item>, count: number): Promise<string[]> {
  const ids: string[] = [];
  for await (const item of items) {
    if (item.kind === 'event') ids.push(item.id ?? '');
    else if (item.kind === 'gap') ids.push('a gap');
    if (ids.length === count) break;
  }
  return ids;
}

function isPublished(hub: Hub, id: string, topic = 'a'): Promise<boolean> {
  return hub.publish(topic, 1, { id }).then(
    () => true,
    (error: unknown) => {
      expect(error).toMatchObject({ code: 'log/unavailable' });
      return false;
    },
  );
}
